// Starting a server from its binary on a free port in a folder of its own, and stopping it by its process id.
import { execFileSync, spawn } from 'node:child_process';
import { accessSync, chownSync, closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isStale, ownedName, startOf } from './owner.mjs';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 20_000;
const SERVER_ID = 'server.id';

/** The first of `names` that is executable in PATH (unless `path` is false) or in one of `folders`. */
export function findBinary(names, folders, { path = true } = {}) {
  const places = [...(path ? (process.env.PATH ?? '').split(delimiter) : []), ...folders];
  for (const name of names) {
    for (const place of places) {
      const file = join(place, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/** The subfolders `parent/<newest first>/tail`, for distributions that keep one folder a version. */
export function versionFolders(parent, tail) {
  try {
    const versions = readdirSync(parent).sort((a, b) => Number(b) - Number(a));
    return versions.map((version) => join(parent, version, tail));
  } catch {
    return [];
  }
}

export async function freePort() {
  const probe = createServer();
  await new Promise((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/**
 * Spawn options that drop root, which the database servers refuse: the first of `users` that exists.
 * Empty when the process is not root.
 */
export function unprivileged(users) {
  if (process.getuid?.() !== 0) return {};
  for (const user of users) {
    try {
      const id = (flag) => Number(execFileSync('id', [flag, user], { encoding: 'utf8', stdio: 'pipe' }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // no such user
    }
  }
  throw new Error(`As root, a server needs one of these users to run as: ${users.join(', ')}.`);
}

/** A new folder that belongs to the user the server runs as. */
export function serverFolder(owner) {
  const folder = join(tmpdir(), ownedName());
  mkdirSync(folder, { mode: 0o700 });
  if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/** Runs a command to its end; its output is part of the error when it fails. */
export function run(file, args, options = {}) {
  try {
    execFileSync(file, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', ...options });
  } catch (error) {
    const output = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim();
    throw new Error(`${file} failed: ${output || error.message}`, { cause: error });
  }
}

/**
 * Spawns a server and waits until `ready()` does not reject.
 * Returns `stop()`, which ends the process and removes `folder`, and `restart()`, which lets it crash
 * (`crashSignal`) and starts it again in the same folder.
 */
export async function launch(file, args, options) {
  const { folder, owner, ready, stopSignal = 'SIGTERM', crashSignal = 'SIGKILL' } = options;
  const log = join(folder, 'server.log');
  let server;
  const begin = async () => {
    server = spawnServer(file, args, { folder, owner, log });
    await untilReady(server.child, ready);
  };
  const end = async (signal) => {
    const { child, ended } = server;
    child.kill(signal);
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended;
    clearTimeout(killer);
  };
  const kill = () => {
    server.child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill);
  const stop = async () => {
    process.removeListener('exit', kill);
    await end(stopSignal);
    rmSync(folder, { recursive: true, force: true });
  };
  const restart = async () => {
    await end(crashSignal);
    await begin();
  };
  try {
    await begin();
    return { stop, restart };
  } catch (error) {
    const tail = readFileSync(log, 'utf8').split('\n').slice(-20).join('\n');
    await stop();
    throw new Error(`${file} did not start: ${error.message}\n${tail}`, { cause: error });
  }
}

function spawnServer(file, args, { folder, owner, log }) {
  const output = openSync(log, 'a');
  const child = spawn(file, args, { ...owner, cwd: folder, stdio: ['ignore', output, output] });
  closeSync(output);
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  if (child.pid !== undefined) writeFileSync(join(folder, SERVER_ID), `${child.pid} ${startOf(child.pid)}`);
  return { child, ended };
}

async function untilReady(child, ready) {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      return await ready();
    } catch (error) {
      if (child.pid === undefined || child.exitCode !== null)
        throw new Error('the process ended', { cause: error });
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

/** Ends the servers, and removes the folders, that a killed run of this machine left. */
export function sweepServers() {
  for (const name of readdirSync(tmpdir())) {
    if (!isStale(name)) continue;
    const folder = join(tmpdir(), name);
    try {
      const [pid, start] = readFileSync(join(folder, SERVER_ID), 'utf8').split(' ');
      // The id may have been given to another process since.
      if (startOf(Number(pid)) === start) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // no server was started in it, or it is gone
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
