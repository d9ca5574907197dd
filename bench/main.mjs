// npm run bench [-- --smoke] [-- <words of titles>]: finds the servers, then runs the TypeScript sources as they are.
import { findServers, stopServers } from '../test/support/servers/find.mjs';
import '../tools/typescript.mjs';

try {
  await findServers();
  const { main } = await import('./run.ts');
  process.exitCode = await main(process.argv.slice(2));
} finally {
  await stopServers();
}
