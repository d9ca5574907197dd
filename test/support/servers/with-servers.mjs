// node test/support/servers/with-servers.mjs <command> [arguments]: runs a command with the servers' addresses in
// its environment, and stops what was started for it.
import { spawn } from 'node:child_process';
import { findServers, SERVERS, stopServers } from './find.mjs';

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error('Give the command to run.');
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
try {
  const found = await findServers();
  found.forEach(({ origin }, index) => console.log(`${SERVERS[index].name}: ${origin}`));
  process.exitCode = await new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    child.once('error', reject).once('exit', (code) => resolve(code ?? 1));
  });
} finally {
  await stopServers();
}
