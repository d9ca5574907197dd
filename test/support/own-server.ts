import { findServer, type Server, type StartedServer } from './servers/find.mjs';

/**
 * Starts a server from its binary for one spec alone, which may restart it and has to stop it.
 *
 * @param extra more arguments for the server
 */
export async function ownServer(server: Server, ...extra: readonly string[]): Promise<StartedServer> {
  const { url, stop, restart } = await findServer({
    ...server,
    start: (binaries) => server.start(binaries, extra),
    variable: 'OWN_SERVER_URL',
    defaults: () => [],
  });
  if (!stop || !restart) throw new Error('OWN_SERVER_URL is set: it would not be an own server.');
  return { url, stop, restart };
}
