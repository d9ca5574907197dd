import { testGlobals } from '../globals.js';
import { type Harness, SHORT, TTL } from './harness.js';

export function leaseContract(h: Harness): void {
  const { describe, it, expect } = testGlobals();
  const lease = (key: string, owner: string, ttl = TTL): Promise<number> =>
    h.driver.lease({ key, owner, ttl });

  describe('lease', () => {
    it('is one owner’s at a time, by key', async () => {
      expect(await lease('k', 'a')).toBe(0);
      const rest = await lease('k', 'b');
      expect(rest > 0 && rest <= TTL).toBe(true);
      expect(await lease('other', 'b')).toBe(0);
    });

    it('is extended by its owner', async () => {
      await lease('k', 'a', SHORT);
      expect(await lease('k', 'a')).toBe(0);
      await h.elapse(SHORT + 50);
      expect((await lease('k', 'b')) > 0).toBe(true);
    });

    it('runs out by itself', async () => {
      await lease('k', 'a', SHORT);
      await h.elapse(SHORT + 50);
      expect(await lease('k', 'b')).toBe(0);
    });

    it('is given back by its owner only', async () => {
      await lease('k', 'a');
      await h.driver.unlease({ key: 'k', owner: 'b' });
      expect((await lease('k', 'b')) > 0).toBe(true);
      await h.driver.unlease({ key: 'k', owner: 'a' });
      expect(await lease('k', 'b')).toBe(0);
    });

    it('goes to one of many who ask together', async () => {
      const replies = await Promise.all(Array.from({ length: 50 }, (_, i) => lease('k', `o${i}`)));
      expect(replies.filter((reply) => reply === 0).length).toBe(1);
    });
  });
}
