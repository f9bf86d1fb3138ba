#pragma once
#include "jobs.h"
#include "mainqueue.h"
#include "memory.h"
#include "signals.h"
#include "stack.h"
#include "symbols.h"
