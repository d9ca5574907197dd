import { UNTOLD, withUntold, type BoundRead, type ColumnFacts } from '../../lib/sql/index.js';

describe('withUntold', () => {
  const facts = (name: string, valueClass: ColumnFacts['valueClass']) =>
    [name, { name, valueClass }] as const;
  const columns = new Map([
    facts('id', 'integer'),
    facts('title', 'folded-text'),
    facts('name', 'folded-text'),
    facts('city', 'folded-text'),
  ]);
  const conditionsOf = (...conditions: Record<string, string | null>[]) => {
    const read: BoundRead = {
      table: 'film',
      reads: '*',
      conditions: conditions.map((condition) => new Map(Object.entries(condition))),
    };
    return withUntold(read, columns).conditions.map((condition) => Object.fromEntries(condition));
  };

  it('leaves alone what compares no texts by a collation', () => {
    expect(conditionsOf({ id: '1' }, { title: null }, {})).toEqual([{ id: '1' }, { title: null }, {}]);
  });

  it('adds the rows whose text is not told, with the rest of the condition', () => {
    expect(conditionsOf({ id: '1', title: 'a' })).toEqual([
      { id: '1', title: 'a' },
      { id: '1', title: UNTOLD },
    ]);
  });

  it('combines two such columns and leaves out the third', () => {
    expect(conditionsOf({ title: 'a', name: 'b', city: 'c' })).toEqual([
      { title: 'a', name: 'b' },
      { title: 'a', name: UNTOLD },
      { title: UNTOLD, name: 'b' },
      { title: UNTOLD, name: UNTOLD },
    ]);
  });
});
