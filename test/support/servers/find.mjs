// Finds the servers the tests need. In order: the variable, the default port, a binary, the system's packages.
import { aptInstalled } from './apt.mjs';
import { mariadb } from './mariadb.mjs';
import { memcached } from './memcached.mjs';
import { postgres } from './postgres.mjs';
import { sweepServers } from './process.mjs';
import { redis } from './redis.mjs';

export const SERVERS = [postgres, mariadb, redis, memcached];

/**
 * The address of one server, and how to stop it if it was started here.
 * `TEST_SKIP_DEFAULT_PORTS=1` leaves out servers that happen to run on this machine.
 */
export async function findServer(server, { install = installed } = {}) {
  const given = process.env[server.variable];
  if (given) {
    await server.probe(given).catch((error) => {
      throw new Error(`${server.name} at ${server.variable} does not serve: ${reason(error)}`, {
        cause: error,
      });
    });
    return { url: given, origin: server.variable, stop: undefined, restart: undefined };
  }
  const running = process.env.TEST_SKIP_DEFAULT_PORTS === '1' ? undefined : await onDefaultPort(server);
  if (running) return { url: running, origin: 'default port', stop: undefined, restart: undefined };

  const binaries = server.binaries() ?? install(server);
  if (!binaries) {
    throw new Error(
      `The tests need ${server.name}: set ${server.variable} to its URL, run it on its default port with the ` +
        `default user and no password, or install its binaries (Debian: apt-get install ${server.aptPackage}).`,
    );
  }
  return { ...(await server.start(binaries)), origin: binaries.server };
}

async function onDefaultPort(server) {
  for (const url of server.defaults()) {
    try {
      await server.probe(url);
      return url;
    } catch {
      // not there, or it does not accept us
    }
  }
  return undefined;
}

const installed = (server) => aptInstalled([server.aptPackage], () => server.binaries());

function reason(error) {
  return error.message || error.code || String(error);
}

let found = [];

/** Finds all servers, exports their addresses to child processes, and removes what killed runs left in them. */
export async function findServers() {
  sweepServers();
  for (const server of SERVERS) {
    const result = await findServer(server);
    found.push(result);
    process.env[server.variable] = result.url;
    // Another run may be sweeping the same leftovers.
    await server.sweep(result.url).catch(() => undefined);
  }
  return found;
}

/** Stops the servers that `findServers` started. */
export async function stopServers() {
  const started = found;
  found = [];
  await Promise.all(started.map(({ stop }) => stop?.()));
}
