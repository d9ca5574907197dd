import { setImmediate } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { CacheOpsModule, CacheOpsService, type CacheEvent } from '../../lib/index.js';
import { dropPrefix, redisUrl, uniquePrefix } from '../support/redis.js';
import { closeApps, start } from './app.js';

const prefix = uniquePrefix();
const client = new Redis(redisUrl());
afterEach(closeApps);
afterAll(async () => {
  await dropPrefix(client, prefix);
  client.disconnect();
});

/** One application with a near cache, the commands that it sends and where its hits come from. */
async function application(mode: 'tracked' | 'checked') {
  const own = new Redis(redisUrl());
  const commands: string[] = [];
  const send = own.sendCommand.bind(own);
  own.sendCommand = (command, stream) => {
    commands.push(command.name);
    return send(command, stream);
  };
  const app = await start({
    // A long lag: no look of the bus falls into what is counted.
    imports: [CacheOpsModule.forRoot({ redis: own, prefix, near: { mode, maxLag: '1h' } })],
  });
  const service = app.get(CacheOpsService);
  const sources: string[] = [];
  service.events$.subscribe((event: CacheEvent) => {
    if (event.type === 'hit') sources.push(event.source);
    if (event.type === 'miss') sources.push('miss');
  });
  return { service, commands, sources, own };
}

describe.each([
  ['tracked', []],
  ['checked', ['mget']],
] as const)('near: %s, on Redis', (mode, expected) => {
  it(`sends ${expected.length} commands for a hit, and says where it came from`, async () => {
    const { service, commands, sources, own } = await application(mode);
    const read = () => service.getOrSet(`count:${mode}`, () => ({ a: [1] }), { tags: ['x'] });
    // Until the channel is heard nothing is kept.
    while (sources.at(-1) !== 'near') await read();
    commands.length = 0;
    const [one, two] = [await read(), await read()];
    expect(commands).toEqual([...expected, ...expected]);
    expect(one).toEqual({ a: [1] });
    expect(one.a).not.toBe(two.a);
    expect(service.stats()).toMatchObject({ near: { entries: 1 } });
    expect(service.stats().nearHits).toBeGreaterThanOrEqual(3);
    own.disconnect();
  });

  it('serves what another application has changed as soon as that is heard of', async () => {
    const [one, two] = [await application(mode), await application(mode)];
    const read = ({ service }: typeof one, value: string) =>
      service.getOrSet(`shared:${mode}`, () => value, { tags: ['y'] });
    while (one.sources.at(-1) !== 'near') await read(one, 'old');
    await two.service.invalidate('y');
    // Hits alone never let the event loop come to the socket.
    if (mode === 'tracked') while ((await read(one, 'new')) === 'old') await setImmediate();
    expect(await read(one, 'new')).toBe('new');
    await one.service.invalidate('y');
    // Its own at once.
    expect(await read(one, 'newer')).toBe('newer');
    for (const { own } of [one, two]) own.disconnect();
  });

  it('hands out one frozen value where that is asked for', async () => {
    const { service, sources, own } = await application(mode);
    const source = { a: [1] };
    const read = () => service.getOrSet(`frozen:${mode}`, () => source, { frozen: true });
    while (sources.at(-1) !== 'near') expect(Object.isFrozen((await read()).a)).toBe(true);
    expect(await read()).toBe(await read());
    expect(Object.isFrozen(source)).toBe(false);
    own.disconnect();
  });
});

it('explains that a reader would be served from here', async () => {
  const { service, sources, own } = await application('tracked');
  while (sources.at(-1) !== 'near') await service.getOrSet('explained', () => 1);
  expect(await service.explain('explained')).toMatchObject({ stored: true, source: 'near' });
  own.disconnect();
});
