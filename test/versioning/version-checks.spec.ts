import { WithoutVersionCheck, withoutVersionCheck, withoutVersionIncrement } from '../../lib/index.js';
import { isExempt } from '../../lib/versioning/version-checks.js';

class Order {}
class Line {}

const checked = (entity: object | undefined, ...names: unknown[]): boolean =>
  !isExempt('check', names, entity);

describe('withoutVersionCheck', () => {
  it('is for all entities, a class, a name, a schema, an object, or several', () => {
    const order = new Order();
    const cases: [unknown, boolean, boolean][] = [
      [undefined, false, false],
      [Order, false, true],
      ['Order', false, true],
      [{ options: { name: 'Order', target: Order } }, false, true],
      [{ options: { name: 'Order' } }, false, true],
      [order, false, true],
      [[order, Line], false, false],
    ];
    for (const [subject, ofOrder, ofLine] of cases) {
      const look = () => [checked(order, Order, 'Order'), checked(new Line(), Line, 'Line')];
      const seen =
        subject === undefined ? withoutVersionCheck(look) : withoutVersionCheck(subject as object, look);
      expect([subject, seen]).toEqual([subject, [ofOrder, ofLine]]);
    }
    expect(checked(order, Order, 'Order')).toBe(true);
  });

  it('is for one object and not for others of its class', () => {
    const order = new Order();
    withoutVersionCheck(order, () => {
      expect([checked(order, Order), checked(new Order(), Order)]).toEqual([false, true]);
    });
  });

  it('does not switch off the increment, nor the other way round', () => {
    withoutVersionCheck(() => expect(isExempt('increment', [Order])).toBe(false));
    withoutVersionIncrement(Order, () => {
      expect([isExempt('increment', [Order]), isExempt('check', [Order])]).toEqual([true, false]);
    });
  });

  it('CC-X02: overlapping scopes do not see each other, and end when they end', async () => {
    const gates = [0, 1].map(() => {
      let open = (): void => undefined;
      const opened = new Promise<void>((resolve) => (open = resolve));
      return { open: () => open(), opened };
    });
    const seen: Record<string, boolean> = {};
    const first = withoutVersionCheck(Order, async () => {
      await gates[0]!.opened;
      seen['first'] = checked(undefined, Order);
    });
    const second = withoutVersionCheck(Line, async () => {
      await gates[1]!.opened;
      seen['second'] = checked(undefined, Order);
      seen['line'] = checked(undefined, Line);
    });
    seen['outside'] = checked(undefined, Order);
    gates[0]!.open();
    await first;
    seen['outside, one ended'] = checked(undefined, Order);
    gates[1]!.open();
    await second;
    seen['outside, both ended'] = checked(undefined, Order);
    expect(seen).toEqual({
      first: false,
      second: true,
      line: false,
      outside: true,
      'outside, one ended': true,
      'outside, both ended': true,
    });
  });

  it('ends after a failure too', async () => {
    expect(() =>
      withoutVersionCheck(() => {
        throw new Error('sync');
      }),
    ).toThrow('sync');
    await expect(withoutVersionCheck(() => Promise.reject(new Error('async')))).rejects.toThrow('async');
    expect(checked(undefined, Order)).toBe(true);
  });

  it('nests: inner scopes add to outer ones', () => {
    withoutVersionCheck(Order, () => {
      withoutVersionCheck(Line, () => {
        expect([checked(undefined, Order), checked(undefined, Line)]).toEqual([false, false]);
      });
      expect([checked(undefined, Order), checked(undefined, Line)]).toEqual([false, true]);
    });
  });
});

describe('@WithoutVersionCheck', () => {
  class Imports {
    readonly name = 'imports';

    @WithoutVersionCheck()
    all(this: Imports, more: string): [string, boolean] {
      return [this.name + more, checked(undefined, Order)];
    }

    @WithoutVersionCheck(() => Order)
    async orders(): Promise<boolean[]> {
      await Promise.resolve();
      return [checked(undefined, Order), checked(undefined, Line)];
    }
  }

  it('wraps the method', async () => {
    const imports = new Imports();
    expect(imports.all('!')).toEqual(['imports!', false]);
    expect(await imports.orders()).toEqual([false, true]);
    expect(checked(undefined, Order)).toBe(true);
  });
});
