import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findFaketime } from './servers/faketime.mjs';
import type { Server } from './servers/find.mjs';
import { ownedName } from './servers/owner.mjs';

/**
 * A wall clock for processes of our own, that can be set while they run, as an administrator or a time server sets that
 * of a machine. Their monotonic clocks are the machine's.
 */
export class MovableClock {
  private readonly folder = join(tmpdir(), ownedName());
  private readonly file = join(this.folder, 'clock');
  /** For the environment of a process that is to live by this clock. */
  readonly environment: Readonly<Record<string, string>> = {
    // With jemalloc, which asks for the time when it begins, libfaketime never gets through its own beginning.
    LD_PRELOAD: [findFaketime(), loadedLibc()].join(' '),
    FAKETIME_TIMESTAMP_FILE: this.file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  };

  constructor() {
    // Servers read it as users of their own.
    mkdirSync(this.folder);
    chmodSync(this.folder, 0o755);
    this.set(0);
  }

  /** @param ms ahead of the machine's clock; less than 0: behind it */
  set(ms: number): void {
    const next = `${this.file}.next`;
    writeFileSync(next, `${ms < 0 ? '' : '+'}${(ms / 1_000).toFixed(3)}\n`, { mode: 0o644 });
    // At once: whoever reads it must not see half of it.
    renameSync(next, this.file);
  }

  /** The same kind of server, which lives by this clock when it is started. */
  server(server: Server): Server {
    return {
      ...server,
      binaries: () => {
        const found = server.binaries();
        return found && { ...found, server: this.wrapped(found.server) };
      },
    };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private wrapped(binary: string): string {
    const file = join(this.folder, basename(binary));
    const settings = Object.entries(this.environment).map(([name, value]) => `export ${name}='${value}'`);
    writeFileSync(file, ['#!/bin/sh', ...settings, `exec '${binary}' "$@"`, ''].join('\n'), { mode: 0o755 });
    chmodSync(file, 0o755);
    return file;
  }
}

/** Before other allocators, because of which see above. */
function loadedLibc(): string {
  const path = /\S+\/libc\.so\.6$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0];
  if (path === undefined) throw new Error('The tests that move clocks need Linux with glibc.');
  return path;
}
