// A TCP echo server on Node: echo_node.js PORT [--monitor], with monitorEventLoopDelay. Ends on SIGTERM.
const net = require('net');

if (process.argv.includes('--monitor')) {
  require('perf_hooks').monitorEventLoopDelay({ resolution: 10 }).enable();
}
net.createServer({ noDelay: true }, (socket) => {
  socket.on('data', (data) => socket.write(data));
  socket.on('error', () => socket.destroy());
}).listen(Number(process.argv[2]), '127.0.0.1', 1024, () => console.log('ready'));
process.on('SIGTERM', () => process.exit(0));
