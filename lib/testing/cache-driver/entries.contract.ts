import { EVERYTHING } from '../../core/token.js';
import { testGlobals } from '../globals.js';
import { type Harness, TTL, SHORT, ROWS, TOKENS } from './harness.js';

export function readContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('read', () => {
    it('reports nothing about what was never written', async () => {
      expect(await h.driver.read('none', TOKENS)).toEqual({
        entry: undefined,
        states: [undefined, undefined, undefined],
      });
    });

    it('returns the entry and the states in the order asked for', async () => {
      const stamps = await h.pinned();
      await h.store('k', 'value', stamps);
      const reply = await h.driver.read('k', [ROWS, 'g:none', EVERYTHING]);
      expect(reply.entry?.toString()).toBe('value');
      expect(reply.states).toEqual([stamps[2], undefined, stamps[0]]);
    });

    it('reads states alone', async () => {
      const stamps = await h.pinned();
      await h.pend('w', ['g:marked']);
      expect(await h.driver.states([ROWS, 'g:none', 'g:marked'])).toEqual([stamps[2], undefined, 'pending']);
      expect(await h.driver.states([])).toEqual([]);
    });

    it('works without tokens', async () => {
      expect(await h.driver.read('none', [])).toEqual({ entry: undefined, states: [] });
    });

    it('returns every byte as it was stored', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      const stamps = await h.pinned();
      await h.driver.write({ key: 'bytes', entry: bytes, tokens: TOKENS, stamps, ttl: TTL });
      expect((await h.driver.read('bytes', [])).entry?.equals(bytes)).toBe(true);
    });

    it('keeps its own copy of the entry', async () => {
      const bytes = Buffer.from('before');
      await h.driver.write({ key: 'copy', entry: bytes, tokens: [], stamps: [], ttl: TTL });
      bytes.fill('x');
      expect((await h.driver.read('copy', [])).entry?.toString()).toBe('before');
    });

    it('stores an empty entry', async () => {
      expect(
        await h.driver.write({ key: 'empty', entry: Buffer.alloc(0), tokens: [], stamps: [], ttl: TTL }),
      ).toBe(true);
      expect((await h.driver.read('empty', [])).entry?.length).toBe(0);
    });
  });
}

export function writeContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('write', () => {
    it('refuses when a token was restamped, and leaves the old entry', async () => {
      const stamps = await h.pinned();
      await h.store('k', 'old', stamps);
      await h.driver.restamp([ROWS]);
      expect(await h.store('k', 'new', stamps)).toBe(false);
      await h.pinned();
      expect(await h.store('k', 'new', stamps)).toBe(false);
      expect((await h.driver.read('k', [])).entry?.toString()).toBe('old');
    });

    it('refuses when a token is pending', async () => {
      const stamps = await h.pinned();
      await h.pend('w', [ROWS]);
      expect(await h.store('k', 'v', stamps)).toBe(false);
      expect((await h.driver.read('k', [])).entry).toBe(undefined);
    });

    it('refuses a stamp that is spelled like a state', async () => {
      await h.pend('w', ['g:x']);
      expect(await h.store('k', 'v', ['pending'], ['g:x'])).toBe(false);
      expect(await h.store('k', 'v', ['undefined'], ['g:none'])).toBe(false);
    });

    it('refuses when a stamp is not given', async () => {
      expect(await h.store('k', 'v', [], ['g:none'])).toBe(false);
      await h.pinned(['g:x']);
      expect(await h.store('k', 'v', [], ['g:x'])).toBe(false);
    });

    it('replaces an entry', async () => {
      const stamps = await h.pinned();
      await h.store('k', 'old', stamps);
      expect(await h.store('k', 'new', stamps)).toBe(true);
      expect((await h.driver.read('k', [])).entry?.toString()).toBe('new');
    });

    it('lets the entry expire', async () => {
      await h.store('k', 'v', await h.pinned(), TOKENS, SHORT);
      await h.elapse(SHORT + 50);
      expect((await h.driver.read('k', [])).entry).toBe(undefined);
    });

    it('refuses what was pinned before a mark that has run out', async () => {
      const stamps = await h.pinned();
      await h.pend('w', [ROWS], undefined, SHORT);
      await h.elapse(SHORT + 50);
      expect(await h.store('k', 'v', stamps)).toBe(false);
    });
  });
}

export function deleteContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('delete', () => {
    it('removes entries and counts those that were there', async () => {
      const stamps = await h.pinned();
      await h.store('a', '1', stamps);
      await h.store('b', '2', stamps);
      expect(await h.driver.delete(['a', 'b', 'c'])).toBe(2);
      expect((await h.driver.read('a', [])).entry).toBe(undefined);
      expect(await h.driver.delete([])).toBe(0);
    });

    it('does not touch stamps', async () => {
      const stamps = await h.pinned();
      await h.driver.delete(['*', ROWS]);
      expect(await h.states()).toEqual(stamps);
    });
  });
}
