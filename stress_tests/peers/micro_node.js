// What posted callbacks and timers cost on Node: micro_node.js WHAT COUNT [--monitor]
// WHAT: posted_batch, posted_chain (setImmediate), timers. Prints "WHAT wall cpu", nanoseconds for each.
const [what, count] = [process.argv[2], Number(process.argv[3])];
if (process.argv.includes('--monitor')) {
  require('perf_hooks').monitorEventLoopDelay({ resolution: 10 }).enable();
}
const wall = process.hrtime.bigint();
const cpu = process.cpuUsage();
let ran = 0;

function one() {
  if (++ran < count) return;
  const used = process.cpuUsage(cpu);
  console.log(what, Number(process.hrtime.bigint() - wall) / count, (used.user + used.system) * 1000 / count);
  process.exit(0);
}

function chain() {
  one();
  setImmediate(chain);
}

function batch() {
  for (let i = 0; i < 1000; i++) setImmediate(one);
  setImmediate(batch);
}

function timers() {
  let random = 12345;
  for (let i = 0; i < count; i++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    setTimeout(one, 1 + (random >>> 8) % 100);
  }
}

setImmediate({ posted_batch: batch, posted_chain: chain, timers }[what]);
