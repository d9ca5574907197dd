import type { BusListener, BusOptions } from '../../lib/drivers/bus.interface.js';
import { SharedBus } from '../../lib/drivers/shared-bus.js';

/** Connections that were opened, and told by hand what happens. */
class Connections {
  readonly all: { listener: BusListener; maxLag: number; closed: boolean; validUntil: number }[] = [];

  openBus(listener: BusListener, { maxLag }: BusOptions) {
    const connection = { listener, maxLag, closed: false, validUntil: 1 };
    this.all.push(connection);
    return Object.defineProperty(
      { validUntil: 0, close: async () => void (connection.closed = true) },
      'validUntil',
      {
        get: () => connection.validUntil,
      },
    );
  }
}

const ear = () => {
  const heard: string[] = [];
  const listener: BusListener = {
    joined: () => heard.push('joined'),
    invalidated: (tokens) => heard.push(...tokens),
    lost: (reason) => heard.push(reason),
  };
  return { heard, listener };
};

let connections: Connections;
let shared: SharedBus;
beforeEach(() => {
  connections = new Connections();
  shared = new SharedBus(connections);
});
const connection = (i = 0) => connections.all[i] as Connections['all'][number];

it('tells all over one connection, and who comes later that it hears', () => {
  const [one, two] = [ear(), ear()];
  const bus = shared.openBus(one.listener, { maxLag: 10 });
  connection().listener.joined();
  const other = shared.openBus(two.listener, { maxLag: 20 });
  connection().listener.invalidated(['a']);
  connection().listener.lost('gap');
  const late = ear();
  shared.openBus(late.listener, { maxLag: 20 });
  connection().listener.joined();
  expect(one.heard).toEqual(['joined', 'a', 'gap', 'joined']);
  expect(two.heard).toEqual(one.heard);
  expect(late.heard).toEqual(['joined']);
  expect(connections.all).toHaveLength(1);
  connection().validUntil = 7;
  expect([bus.validUntil, other.validUntil]).toEqual([7, 7]);
});

it('closes the connection with the last that listens, and opens a new one after', async () => {
  const [one, two] = [ear(), ear()];
  const first = shared.openBus(one.listener, { maxLag: 10 });
  const second = shared.openBus(two.listener, { maxLag: 10 });
  await first.close();
  expect(connection().closed).toBe(false);
  connection().listener.invalidated(['a']);
  expect([one.heard, two.heard]).toEqual([[], ['a']]);
  await second.close();
  await second.close();
  expect(connection().closed).toBe(true);
  shared.openBus(one.listener, { maxLag: 10 });
  expect(connections.all).toHaveLength(2);
});

it('gives who must hear sooner a connection of its own', () => {
  shared.openBus(ear().listener, { maxLag: 10_000 });
  shared.openBus(ear().listener, { maxLag: 1_000 });
  expect(connections.all.map(({ maxLag }) => maxLag)).toEqual([10_000, 1_000]);
});
