import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Seen } from './transactional/process.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** In a process of its own: these libraries are CommonJS and require Nest, which Jest cannot do with ES modules. */
async function seenWith(library: string): Promise<Seen> {
  const args = [
    '--disable-warning=ExperimentalWarning',
    '--import',
    './tools/typescript.mjs',
    'test/decorators/transactional/process.ts',
    library,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Seen;
}

describe.each(['typeorm-transactional', '@nestjs-cls/transactional'])(
  '@Invalidates in a transaction of %s',
  (library) => {
    let seen: Seen;
    beforeAll(async () => {
      seen = await seenWith(library);
    }, 60_000);

    it('waits for the commit', () => {
      expect([seen.duringTransaction, seen.afterCommit]).toEqual([1, 2]);
    });

    it('says nothing after a rollback', () => {
      expect(seen.afterRollback).toBe(2);
    });

    it('says nothing when its own method fails and the transaction goes on', () => {
      expect(seen.afterOwnFailure).toBe(2);
    });

    it('on the transactional method itself speaks after the commit, and not after a rollback', () => {
      expect([seen.afterRollbackOfItsOwn, seen.afterCommitOfItsOwn]).toEqual([2, 3]);
    });

    it('beside it, queries see what was written with its commit', () => {
      expect(seen.counts).toEqual([0, 1, 1, 2, 3]);
    });
  },
);
