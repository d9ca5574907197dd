import { DataSource, type ObjectLiteral } from 'typeorm';
import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { entityFields } from '../../lib/versioning/merge/entity-fields.js';
import { mergeField, type FieldConflict, type FieldOutcome } from '../../lib/versioning/merge/three-way.js';

class Address {
  @Column({ nullable: true, type: 'varchar' })
  city!: string | null;

  @Column({ nullable: true, type: 'varchar' })
  street!: string | null;
}

@Entity()
class Person {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;
}

@Entity()
class Region {
  @PrimaryColumn()
  country!: string;

  @PrimaryColumn()
  code!: number;
}

/** Not the same twice, as an encryption is. */
let salt = 0;
const salted = {
  to: (value: string) => `${salt++}:${value}`,
  from: (value: string) => value.slice(value.indexOf(':') + 1),
};

@Entity()
class Deal {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', nullable: true })
  title!: string | null;

  @Column({ type: 'decimal', precision: 10, scale: 2, nullable: true })
  price!: string | number | null;

  @Column({ type: 'bigint', nullable: true })
  views!: string | number | null;

  @Column({ type: 'date', nullable: true })
  day!: string | Date | null;

  @Column({ type: 'datetime', nullable: true })
  at!: Date | string | null;

  @Column({ type: 'blob', nullable: true })
  bytes!: Uint8Array | null;

  @Column({ type: 'simple-json', nullable: true })
  json!: unknown;

  @Column({ type: 'simple-array', nullable: true })
  list!: string[] | null;

  @Column({ type: 'boolean', nullable: true })
  open!: boolean | null;

  @Column({ type: 'varchar', nullable: true, transformer: salted })
  secret!: string | null;

  @Column({ update: false, nullable: true, type: 'varchar' })
  origin!: string | null;

  @Column(() => Address)
  address!: Address;

  @ManyToOne(() => Person, { nullable: true })
  seller!: Person | null;

  @Column({ type: 'int', nullable: true })
  buyerId!: number | null;

  @ManyToOne(() => Person, { nullable: true })
  @JoinColumn({ name: 'buyerId' })
  buyer!: Person | null;

  @ManyToOne(() => Region, { nullable: true })
  region!: Region | null;

  @ManyToMany(() => Person)
  @JoinTable()
  watchers!: Person[];

  @OneToMany(() => Line, (line) => line.deal)
  lines!: Line[];

  @VersionColumn()
  version!: number;

  @CreateDateColumn()
  createdAt!: Date;

  @UpdateDateColumn()
  updatedAt!: Date;

  @DeleteDateColumn()
  deletedAt!: Date | null;
}

@Entity()
class Line {
  @PrimaryGeneratedColumn()
  id!: number;

  @ManyToOne(() => Deal, (deal) => deal.lines)
  deal!: Deal;
}

type Outcomes = Record<string, FieldOutcome<ObjectLiteral>>;

describe('three-way merge of the properties of an entity', () => {
  let dataSource: DataSource;

  beforeAll(async () => {
    dataSource = await new DataSource({
      type: 'sqljs',
      entities: [Deal, Person, Region, Line],
      synchronize: true,
    }).initialize();
  });
  afterAll(() => dataSource.destroy());

  /** What becomes of each property. */
  function merge(base: object | undefined, mine: object, theirs: object): Outcomes {
    const { fields } = entityFields(dataSource, dataSource.getMetadata(Deal));
    return Object.fromEntries(fields.map((field) => [field.path, mergeField(field, base, mine, theirs)]));
  }
  const kindOf = (path: string, base: object | undefined, mine: object, theirs: object) =>
    merge(base, mine, theirs)[path]?.kind;

  it('leaves keys, versions and dates of TypeORM to the row', () => {
    const { fields, kept } = entityFields(dataSource, dataSource.getMetadata(Deal));
    expect(fields.map(({ path }) => path).sort()).toEqual(
      [
        ...['address.city', 'address.street', 'at', 'buyer', 'bytes', 'day', 'json', 'lines', 'list', 'open'],
        ...['price', 'region', 'secret', 'seller', 'title', 'views', 'watchers'],
      ].sort(),
    );
    const row = { version: 5, createdAt: 1, updatedAt: 2, deletedAt: 3, origin: 'o', id: 9 };
    expect(kept.map((part) => part.get(row)).sort()).toEqual([1, 2, 3, 5, 'o']);
  });

  it.each<[string, unknown, unknown, unknown, string]>([
    ['nobody changed it', 'a', 'a', 'a', 'theirs'],
    ['they changed it', 'a', 'a', 'b', 'theirs'],
    ['I changed it', 'a', 'b', 'a', 'mine'],
    ['both, to the same', 'a', 'b', 'b', 'theirs'],
    ['both, differently', 'a', 'b', 'c', 'conflict'],
    ['I emptied it', 'a', null, 'a', 'mine'],
    ['they emptied it', 'a', 'a', null, 'theirs'],
    ['I emptied it, they changed it', 'a', null, 'b', 'conflict'],
    ['I did not load it', 'a', undefined, 'b', 'theirs'],
    ['the base is not known, and it is the same', undefined, 'a', 'a', 'theirs'],
    ['the base is not known, and it differs', undefined, 'a', 'b', 'conflict'],
  ])('%s', (_name, base, mine, theirs, expected) => {
    expect(kindOf('title', { title: base }, { title: mine }, { title: theirs })).toBe(expected);
  });

  it('without any base, every difference is a conflict', () => {
    const outcomes = merge(undefined, { title: 'a', price: 1 }, { title: 'b', price: '1.00' });
    expect([outcomes['title']?.kind, outcomes['price']?.kind]).toEqual(['conflict', 'theirs']);
    expect(outcomes['title']).toMatchObject({
      conflict: { path: 'title', base: undefined, mine: 'a', theirs: 'b' } satisfies FieldConflict,
    });
  });

  it.each<[string, unknown, unknown]>([
    ['price', 1.5, '1.50'],
    ['price', '0', '0.00'],
    ['price', -3, '-3.00'],
    ['views', 9007199254740993n, '9007199254740993'],
    ['views', 12, '12'],
    ['day', new Date(2030, 0, 2), '2030-01-02'],
    ['at', new Date('2030-01-02T03:04:05.678Z'), new Date('2030-01-02T03:04:05.678Z')],
    ['bytes', Buffer.from([1, 2]), new Uint8Array([1, 2])],
    ['json', { a: 1, b: [2, { c: 3 }] }, { b: [2, { c: 3 }], a: 1 }],
    ['list', ['a', 'b'], ['a', 'b']],
    ['open', true, true],
    ['secret', 'same', 'same'],
    ['title', null, null],
  ])('%s: %p and %p are the same', (path, a, b) => {
    // What they have is what the base had, so that only my value could be a change.
    expect(kindOf(path, { [path]: a }, { [path]: b }, { [path]: a })).toBe('theirs');
    expect(kindOf(path, undefined, { [path]: a }, { [path]: b })).toBe('theirs');
  });

  it.each<[string, unknown, unknown]>([
    ['price', '1.50', '1.51'],
    ['price', 10, '100'],
    ['price', '', '0'],
    ['views', '9007199254740993', '9007199254740992'],
    ['day', '2030-01-02', '2030-01-03'],
    ['at', new Date(0), new Date(1)],
    ['bytes', Buffer.from([1]), Buffer.from([1, 0])],
    ['json', { a: 1 }, { a: 1, b: null }],
    ['json', [1, 2], [2, 1]],
    ['list', ['a', 'b'], ['b', 'a']],
    ['open', true, false],
    ['secret', 'a', 'b'],
    ['title', null, ''],
  ])('%s: %p and %p are not', (path, a, b) => {
    expect(kindOf(path, { [path]: a }, { [path]: b }, { [path]: a })).toBe('mine');
    expect(kindOf(path, { [path]: a }, { [path]: a }, { [path]: b })).toBe('theirs');
    expect(kindOf(path, undefined, { [path]: a }, { [path]: b })).toBe('conflict');
  });

  it('takes properties of embedded objects one by one', () => {
    const outcomes = merge(
      { address: { city: 'Ulm', street: 'A' } },
      { address: { city: 'Bonn', street: 'A' } },
      { address: { city: 'Ulm', street: 'B' } },
    );
    expect([outcomes['address.city']?.kind, outcomes['address.street']?.kind]).toEqual(['mine', 'theirs']);
  });

  it.each<[string, unknown, unknown, unknown, string]>([
    ['they chose another', { id: 1 }, { id: 1, name: 'loaded' }, { id: 2 }, 'theirs'],
    ['I chose another', { id: 1 }, { id: 2 }, { id: 1 }, 'mine'],
    ['an id is as good as the object', 1, { id: 1 }, { id: 2 }, 'theirs'],
    ['a new one that is not stored yet', { id: 1 }, { name: 'new' }, { id: 1 }, 'mine'],
    [
      'what is in the object does not count',
      { id: 1 },
      { id: 1, name: 'renamed' },
      { id: 1, name: 'x' },
      'theirs',
    ],
    ['both', null, { id: 1 }, { id: 2 }, 'conflict'],
  ])('a relation: %s', (_name, base, mine, theirs, expected) => {
    expect(kindOf('seller', { seller: base }, { seller: mine }, { seller: theirs })).toBe(expected);
  });

  it('compares all columns of a composite foreign key', () => {
    const [ulm, bonn] = [
      { country: 'de', code: 1 },
      { country: 'de', code: 2 },
    ];
    expect(kindOf('region', { region: ulm }, { region: ulm }, { region: { ...ulm } })).toBe('theirs');
    expect(kindOf('region', { region: ulm }, { region: bonn }, { region: ulm })).toBe('mine');
  });

  it('decides a foreign key together with its relation; as for TypeORM, the loaded object counts', () => {
    const base = { buyerId: 1, buyer: { id: 1 } };
    const theirs = { buyerId: 3, buyer: { id: 3 } };
    expect(kindOf('buyer', base, { buyerId: 1, buyer: { id: 1 } }, theirs)).toBe('theirs');
    expect(kindOf('buyer', base, { buyerId: 1, buyer: { id: 2 } }, base)).toBe('mine');
    expect(kindOf('buyer', base, { buyerId: 2 }, base)).toBe('mine');
    const outcome = merge(base, { buyerId: 2 }, theirs)['buyer'];
    expect(outcome).toMatchObject({ conflict: { path: 'buyer', base: 1, mine: 2, theirs: 3 } });
    expect(kindOf('buyer', base, { buyerId: 1, buyer: { id: 2 } }, theirs)).toBe('conflict');
  });

  it('puts the changes of a collection together', () => {
    const [a, b, c, d] = [1, 2, 3, 4].map((id) => ({ id }));
    const fresh = { name: 'new' };
    const mine = { watchers: [{ ...b, name: 'loaded' }, c, fresh] };
    const outcome = merge({ watchers: [a, b] }, mine, { watchers: [b, a, d] })['watchers'];
    // I took a out and put c and a new one in; they put d in.
    expect(outcome).toMatchObject({ kind: 'union', value: [mine.watchers[0], d, c, fresh] });
    expect(kindOf('watchers', { watchers: [a, b] }, { watchers: [b, a] }, { watchers: [a] })).toBe('theirs');
    expect(kindOf('watchers', { watchers: [a] }, { watchers: [] }, { watchers: [a] })).toBe('mine');
    const removed = merge({ watchers: [a, b] }, { watchers: [a, b, c] }, { watchers: [a] })['watchers'];
    expect(removed).toMatchObject({ value: [a, c] });
    expect(kindOf('watchers', undefined, { watchers: [a] }, { watchers: [b] })).toBe('conflict');
  });
});
