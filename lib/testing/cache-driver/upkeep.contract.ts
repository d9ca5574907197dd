import { testGlobals } from '../globals.js';
import { type Harness, TTL, TABLE, ROWS, TOKENS } from './harness.js';

export function restampContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('restamp', () => {
    it('takes the stamps away', async () => {
      const before = await h.pinned();
      await h.driver.restamp([ROWS, 'g:none']);
      expect(await h.states()).toEqual([before[0], before[1], undefined]);
      expect((await h.pin())[2] === before[2]).toBe(false);
    });

    it('leaves marks', async () => {
      await h.pend('w', [ROWS]);
      await h.driver.restamp([ROWS]);
      expect((await h.states())[2]).toBe('pending');
    });

    it('takes many tokens', async () => {
      const tokens = Array.from({ length: 10_000 }, (_, i) => `g:${i}`);
      await h.pin(tokens);
      await h.driver.restamp(tokens);
      expect((await h.states(tokens)).every((state) => state === undefined)).toBe(true);
    });
  });
}

export function registriesContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('registries', () => {
    it('answers for every table asked for, also for none', async () => {
      await h.pin(TOKENS, ['a']);
      const reply = await h.driver.registries(['none', TABLE]);
      expect([...reply.keys()]).toEqual(['none', TABLE]);
      expect(reply.get('none')).toEqual({ version: '', shapes: [] });
      expect(reply.get(TABLE)?.shapes).toEqual(['a']);
      expect((await h.driver.registries([])).size).toBe(0);
    });

    it('does not take a mark for a registry', async () => {
      await h.pend('w', [], '');
      expect((await h.driver.registries([TABLE])).get(TABLE)).toEqual({ version: '', shapes: [] });
    });
  });
}

export function generalContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();

  describe('all operations', () => {
    it('does nothing when asked for nothing', async () => {
      expect(await h.driver.pin({ tokens: [], shapes: [], ttl: TTL })).toEqual([]);
      expect(await h.driver.pend({ writer: 'w', tokens: [], registries: new Map(), ttl: TTL })).toBe(
        undefined,
      );
      await h.driver.settle({ writer: 'w', tokens: [], tables: [] });
      await h.driver.restamp([]);
    });

    it('keeps keys and tokens of any text apart', async () => {
      const odd = ['g:a b', 'g:a\nb', 'g:ü', 'g:{x}', 'g:*', 'g:a:b,c!'];
      const stamps = await h.pinned(odd);
      expect(new Set(stamps).size).toBe(odd.length);
      await h.driver.restamp(['g:*']);
      expect((await h.states(odd)).filter((state) => state === undefined).length).toBe(1);
      await h.store('k\n1', 'one', [], []);
      await h.store('k\n2', 'two', [], []);
      expect((await h.driver.read('k\n1', [])).entry?.toString()).toBe('one');
    });

    it('orders operations that are started together', async () => {
      const stamps = await h.pinned();
      const [, stored] = await Promise.all([h.driver.restamp([ROWS]), h.store('k', 'v', stamps)]);
      expect(stored).toBe(false);
    });
  });
}
