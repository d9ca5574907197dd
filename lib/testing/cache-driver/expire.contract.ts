import { HARD_LENGTH } from '../../core/stamp.js';
import { testGlobals } from '../globals.js';
import { type Harness, isStamp, ROWS, TABLE, TOKENS, TTL } from './harness.js';

const hard = (state: string | undefined): string | undefined => state?.slice(0, HARD_LENGTH);

export function expireContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();
  const expire = (tokens: readonly string[], version?: string) =>
    h.driver.expire({ tokens, registries: new Map(version === undefined ? [] : [[TABLE, version]]) });

  describe('expire', () => {
    it('replaces the soft part of a stamp, each time by another', async () => {
      const seen = new Set<string>();
      const [, , first] = await h.pinned();
      for (let i = 0; i < 20; i++) {
        seen.add((await h.states())[2] as string);
        expect(await expire([ROWS])).toBe(undefined);
      }
      seen.add((await h.states())[2] as string);
      expect(seen.size).toBe(21);
      expect([...seen].every((state) => isStamp(state) && hard(state) === hard(first))).toBe(true);
    });

    it('refuses what was pinned before', async () => {
      const stamps = await h.pinned();
      await expire([ROWS]);
      expect(await h.store('k', 'v', stamps)).toBe(false);
      expect(await h.store('k', 'v', await h.pinned())).toBe(true);
    });

    it('keeps the life of the stamp', async () => {
      await h.pinned([ROWS], TTL);
      await expire([ROWS]);
      await h.elapse(200);
      expect(isStamp((await h.states())[2])).toBe(true);
    });

    it('does not stamp what has no stamp, and leaves marks', async () => {
      await h.pend('w', [ROWS]);
      await expire([ROWS, 'g:none']);
      expect((await h.states([ROWS, 'g:none'])).map((state) => state ?? 'none')).toEqual(['pending', 'none']);
    });

    it('ends with another hard part', async () => {
      const [before] = await h.pinned([ROWS]);
      await expire([ROWS]);
      await h.driver.restamp([ROWS]);
      const [after] = await h.pinned([ROWS]);
      expect(hard(after) === hard(before)).toBe(false);
    });

    it('does nothing and returns the registries when a version differs', async () => {
      await h.pin(TOKENS, ['a']);
      const stamps = await h.states();
      expect((await expire([ROWS], 'bygone'))?.get(TABLE)?.shapes).toEqual(['a']);
      expect(await h.states()).toEqual(stamps);
      expect(await expire([ROWS], await h.version())).toBe(undefined);
      expect((await h.states())[2] === stamps[2]).toBe(false);
    });
  });
}
