import { testGlobals } from '../globals.js';
import { type Harness, TTL, SHORT, TABLE, ROWS, TOKENS, isStamp } from './harness.js';

export function pendContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('pend', () => {
    it('marks the tokens', async () => {
      await h.pinned();
      expect(await h.pend('w', [ROWS])).toBe(undefined);
      expect((await h.states()).map((state) => state === 'pending')).toEqual([false, false, true]);
    });

    it('takes the version "" for a table without registry', async () => {
      expect(await h.pend('w', [ROWS], '')).toBe(undefined);
      expect((await h.states())[2]).toBe('pending');
    });

    it('takes the current version', async () => {
      await h.pin(TOKENS, ['a']);
      expect(await h.pend('w', [ROWS], await h.version())).toBe(undefined);
      expect((await h.states())[2]).toBe('pending');
    });

    it('marks nothing and returns all registries when one differs', async () => {
      await h.pin(TOKENS, ['a', 'b']);
      const stamps = await h.states();
      const reply = await h.driver.pend({
        writer: 'w',
        tokens: [ROWS],
        registries: new Map([
          ['none', ''],
          [TABLE, ''],
        ]),
        ttl: TTL,
      });
      expect(reply?.get('none')).toEqual({ version: '', shapes: [] });
      expect(reply?.get(TABLE)?.version).toBe(await h.version());
      expect([...(reply?.get(TABLE)?.shapes ?? [])].sort()).toEqual(['a', 'b']);
      expect(await h.states()).toEqual(stamps);
      expect((await h.pin(TOKENS, ['c']))[2]).toBe(stamps[2]);
    });

    it('answers a version of a registry that is gone', async () => {
      const reply = await h.pend('w', [ROWS], 'bygone');
      expect(reply?.get(TABLE)).toEqual({ version: '', shapes: [] });
      expect((await h.states())[2]).toBe(undefined);
    });

    it('lets marks run out: the stamp is gone, not back', async () => {
      const before = await h.pinned();
      await h.pend('w', [ROWS], undefined, SHORT);
      await h.elapse(SHORT + 50);
      expect((await h.states())[2]).toBe(undefined);
      expect((await h.pin())[2] === before[2]).toBe(false);
    });

    it('keeps a token pending until the last of several marks runs out', async () => {
      await h.pend('long', [ROWS]);
      await h.pend('short', [ROWS], undefined, SHORT);
      await h.elapse(SHORT + 50);
      expect((await h.states())[2]).toBe('pending');
    });
  });
}

export function settleContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('settle', () => {
    it('removes the mark; the next reader pins a new stamp', async () => {
      const before = await h.pinned();
      await h.pend('w', [ROWS]);
      await h.settle('w', [ROWS]);
      expect((await h.states())[2]).toBe(undefined);
      const after = await h.pin();
      expect(isStamp(after[2]) && after[2] !== before[2]).toBe(true);
    });

    it('keeps the marks of other writers', async () => {
      await h.pend('w1', [ROWS]);
      await h.pend('w2', [ROWS]);
      await h.settle('w1', [ROWS]);
      expect((await h.states())[2]).toBe('pending');
      await h.settle('w2', [ROWS]);
      expect((await h.states())[2]).toBe(undefined);
    });

    it('forgets marks that ran out meanwhile', async () => {
      await h.pend('dead', [ROWS], undefined, SHORT);
      await h.pend('alive', [ROWS]);
      await h.elapse(SHORT + 50);
      await h.settle('alive', [ROWS]);
      expect((await h.states())[2]).toBe(undefined);
    });

    it('lets the remaining marks run out when they would have', async () => {
      await h.pend('long', [ROWS]);
      await h.pend('short', [ROWS], undefined, SHORT);
      await h.settle('long', [ROWS]);
      expect((await h.states())[2]).toBe('pending');
      await h.elapse(SHORT + 50);
      expect((await h.states())[2]).toBe(undefined);
    });

    it('takes the stamp away when the mark was lost', async () => {
      const stamps = await h.pinned();
      await h.store('k', 'v', stamps);
      await h.settle('w', [ROWS]);
      expect((await h.states()).slice(0, 2)).toEqual(stamps.slice(0, 2));
      expect((await h.states())[2]).toBe(undefined);
    });

    it('tells writers apart whatever their names', async () => {
      await h.pend('a,b:1!', [ROWS]);
      await h.pend('a', [ROWS]);
      await h.settle('a', [ROWS]);
      expect((await h.states())[2]).toBe('pending');
      await h.settle('a,b:1!', [ROWS]);
      expect((await h.states())[2]).toBe(undefined);
    });
  });
}

export function settleTablesContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('settle: tables', () => {
    it('restamps the table when the mark on it was lost, because unknown shapes may have come', async () => {
      await h.pend('w', [ROWS], '', SHORT);
      await h.elapse(SHORT + 50);
      const [, table] = await h.pin(TOKENS, ['a']);
      await h.settle('w', [ROWS], [TABLE]);
      expect((await h.states())[1] === table).toBe(false);
    });

    it('leaves the stamp of the table alone when the mark on it held', async () => {
      await h.pin(TOKENS, ['a']);
      const before = await h.states();
      await h.pend('w', [ROWS], await h.version());
      await h.settle('w', [ROWS], [TABLE]);
      expect((await h.states()).slice(0, 2)).toEqual(before.slice(0, 2));
    });

    it('keeps the marks of other writers on the table', async () => {
      await h.pend('w1', [], '');
      await h.pend('w2', [], '');
      await h.settle('w1', [], [TABLE]);
      expect((await h.pin(TOKENS, ['a']))[2]).toBe('pending');
    });

    it('can be repeated', async () => {
      await h.pend('w', [ROWS], '');
      await h.settle('w', [ROWS], [TABLE]);
      await h.settle('w', [ROWS], [TABLE]);
      expect((await h.states())[2]).toBe(undefined);
    });
  });
}
