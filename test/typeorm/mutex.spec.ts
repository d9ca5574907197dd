import { createLockScope, Mutex } from '../../lib/typeorm/mutex.js';

const broken = new Error('broken');

describe('one piece of work at a time', () => {
  it.each([
    ['that nothing can be nested in', false],
    ['that others can be nested in', true],
  ])('%s rejects when it throws at once, and lets the next go', async (_, nests) => {
    const mutex = new Mutex(createLockScope(() => nests));
    const seen: unknown[] = [];
    const throwing = (): Promise<never> => {
      throw broken;
    };
    // The first begins at once, the second behind it.
    const [first, second] = [1, 2].map(() => mutex.run(throwing, (error) => seen.push(error)));
    await expect(first).rejects.toBe(broken);
    await expect(second).rejects.toBe(broken);
    await expect(mutex.run(async () => 'next')).resolves.toBe('next');
    expect(seen).toEqual([broken, broken]);
  });

  it('tells of the error of work that was begun by its holder', async () => {
    const mutex = new Mutex(createLockScope(() => true));
    const seen: unknown[] = [];
    const inner = mutex.run(async () => {
      await mutex
        .run(
          async () => {
            throw broken;
          },
          (error) => seen.push(error),
        )
        .catch(() => undefined);
      return 'outer';
    });
    await expect(inner).resolves.toBe('outer');
    expect(seen).toEqual([broken]);
  });
});
