// npm run soak [-- <names of suites>] [--seconds 60] [--seed 1]: finds the servers, then runs the TypeScript as it is.
import { findServers, stopServers } from '../support/servers/find.mjs';
import '../../tools/typescript.mjs';

try {
  await findServers();
  const { main } = await import('./run.ts');
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await stopServers();
}
