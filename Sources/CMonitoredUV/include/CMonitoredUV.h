#pragma once
#include "jobs.h"
#include "mainqueue.h"
#include "stack.h"
#include "symbols.h"
