import { jest } from '@jest/globals';
import { type BackendKind, BACKENDS } from './locks/backends.js';
import { LockSoak } from './locks/lock-soak.js';
import { main } from './run.js';

jest.setTimeout(90_000);

/** The short form; `npm run soak` is the long one. */
const SHORT = { seconds: 3, seed: 1 };

it.each(BACKENDS.map((kind) => [kind.name, kind] as const))(
  'locks under fire, for a moment: %s',
  async (_, kind) => {
    const { figures, violations } = await new LockSoak(kind, { processes: 4 }).run(SHORT);
    expect(violations).toEqual([]);
    expect(figures['sections committed']).toBeGreaterThan(0);
  },
);

it('notices what fence() prevents', async () => {
  const file = BACKENDS.find(({ name }) => name === 'file') as BackendKind;
  const soak = new LockSoak(file, {
    processes: 4,
    fenced: false,
    blocks: 0.5,
  });
  const { violations } = await soak.run(SHORT);
  expect(violations).not.toEqual([]);
});

it('says how it is called', async () => {
  const error = jest.spyOn(console, 'error').mockReturnValue();
  expect(await main(['nothing'])).toBe(2);
  expect(await main(['locks', '--seconds', 'x'])).toBe(2);
  expect(error.mock.calls.flat().join()).toContain('npm run soak -- [locks:redis');
  error.mockRestore();
});
