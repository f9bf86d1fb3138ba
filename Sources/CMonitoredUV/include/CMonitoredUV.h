#pragma once
#include "jobs.h"
#include "mainqueue.h"
#include "symbols.h"
