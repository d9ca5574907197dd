import { STAMP_LENGTH, type Stamp } from '../../core/stamp.js';
import { EVERYTHING, tableToken } from '../../core/token.js';
import { testGlobals } from '../globals.js';
import { type Harness, SHORT, TABLE, ROWS, TOKENS, isStamp } from './harness.js';

export function pinContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('pin', () => {
    it('stamps what has no stamp, with different stamps', async () => {
      const stamps = await h.pinned();
      expect(stamps.length).toBe(3);
      for (const stamp of stamps) expect(stamp.length).toBe(STAMP_LENGTH);
      expect(new Set(stamps).size).toBe(3);
      expect(await h.states()).toEqual(stamps);
    });

    it('keeps a stamp that is there', async () => {
      const stamps = await h.pinned();
      expect(await h.pin()).toEqual(stamps);
    });

    it('reports a marked token as pending and does not stamp it', async () => {
      await h.pend('w', [ROWS]);
      const [, , rows] = await h.pin();
      expect(rows).toBe('pending');
      expect((await h.states())[2]).toBe('pending');
    });

    it('makes a stamp outlive the entries that pin it', async () => {
      const [stamp] = await h.pinned(['g:x'], SHORT);
      await h.store('k', 'v', [stamp as Stamp], ['g:x'], SHORT);
      await h.elapse(SHORT + 50);
      const reply = await h.driver.read('k', ['g:x']);
      expect(reply.entry).toBe(undefined);
      expect(reply.states).toEqual([stamp]);
    });
  });
}

export function shapesContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('pin: shapes', () => {
    it('registers shapes', async () => {
      await h.pin(TOKENS, ['a', 'b|id']);
      expect(await h.shapes()).toEqual(['a', 'b|id']);
    });

    it('registers the shape without columns', async () => {
      await h.pin(TOKENS, ['']);
      expect(await h.shapes()).toEqual(['']);
    });

    it('changes the version exactly when the set of shapes changes', async () => {
      await h.pin(TOKENS, ['a']);
      const first = await h.version();
      await h.pin(TOKENS, ['a']);
      expect(await h.version()).toBe(first);
      await h.pin(TOKENS, ['a', 'b']);
      expect((await h.version()) === first).toBe(false);
      expect(await h.shapes()).toEqual(['a', 'b']);
    });

    it('restamps the table when it creates the registry, and only then', async () => {
      const before = await h.pinned();
      const created = await h.pin(TOKENS, ['a']);
      expect(created[0]).toBe(before[0]);
      expect(created[1] === before[1]).toBe(false);
      expect(isStamp(created[1])).toBe(true);
      expect(created[2]).toBe(before[2]);
      expect((await h.pin(TOKENS, ['b']))[1]).toBe(created[1]);
    });

    it('restamps the table on creation even when the table is not pinned', async () => {
      const [table] = await h.pinned([tableToken(TABLE)]);
      await h.pin([EVERYTHING], ['a']);
      expect((await h.states([tableToken(TABLE)]))[0] === table).toBe(false);
    });

    it('leaves registries of other tables alone', async () => {
      await h.pin(TOKENS, ['a']);
      expect((await h.driver.registries(['shop.items'])).get('shop.items')).toEqual({
        version: '',
        shapes: [],
      });
    });
  });
}

export function refusalContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('pin: shapes while a writer marks the table', () => {
    it('refuses a new shape while a writer marks the table, and reports all tokens of the table as pending', async () => {
      await h.pin(TOKENS, ['a']);
      await h.pend('w', ['g:other'], await h.version());
      const other = tableToken(`${TABLE}s`);
      const tokens = [...TOKENS, other, `${other}:a=1`, `${tableToken(TABLE)}:`];
      const reply = await h.pin(tokens, ['a', 'new']);
      expect(reply.map((state) => state === 'pending')).toEqual([false, true, true, false, false, true]);
      expect(await h.shapes()).toEqual(['a']);
    });

    it('refuses the first shape of a table that a writer marks', async () => {
      await h.pend('w', [], '');
      expect((await h.pin(TOKENS, ['a']))[2]).toBe('pending');
      expect(await h.version()).toBe('');
    });

    it('accepts a known shape while a writer marks the table', async () => {
      const [everything] = await h.pin(TOKENS, ['a']);
      await h.pend('w', ['g:other'], await h.version());
      const reply = await h.pin(TOKENS, ['a']);
      expect(reply[0]).toBe(everything);
      expect(isStamp(reply[2])).toBe(true);
    });

    it('accepts new shapes again after the writer settled', async () => {
      await h.pend('w', [], '');
      await h.settle('w', [], [TABLE]);
      expect(isStamp((await h.pin(TOKENS, ['a']))[2])).toBe(true);
      expect(await h.shapes()).toEqual(['a']);
    });

    it('accepts new shapes again after the mark on the table ran out', async () => {
      await h.pend('w', [], '', SHORT);
      await h.elapse(SHORT + 50);
      expect(isStamp((await h.pin(TOKENS, ['a']))[2])).toBe(true);
    });
  });
}
