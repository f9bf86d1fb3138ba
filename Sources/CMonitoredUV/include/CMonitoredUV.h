#pragma once
#include "jobs.h"
#include "lines.h"
#include "mainqueue.h"
#include "memory.h"
#include "signals.h"
#include "stack.h"
#include "symbols.h"
