import {
  BaseEntity,
  Column,
  ChildEntity,
  CreateDateColumn,
  Entity,
  EntitySchema,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  JoinColumn,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  RelationId,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
  ViewColumn,
  ViewEntity,
  VirtualColumn,
  type ColumnType,
} from 'typeorm';
import type { DatabaseKind } from '../support/databases.js';

export class Money {
  constructor(readonly cents: number) {}
}

/** A value that TypeORM keeps for itself in `#text`: nothing of it is an own property. */
export class Sealed {
  #text = '';
  get text(): string {
    return this.#text;
  }
  set text(value: string) {
    this.#text = value.toUpperCase();
  }
}

const reversed = {
  to: (value: string | null) => value && [...value].reverse().join(''),
  from: (value: string | null) => value && [...value].reverse().join(''),
};
const toBigInt = {
  to: (value: bigint | null) => value?.toString(),
  from: (value: string | null) => value && BigInt(value),
};
const toMoney = {
  to: (value: Money | null) => value?.cents,
  from: (value: number | null) => value && new Money(Number(value)),
};
const toSet = {
  to: (value: Set<string> | null) => value && [...value].join(','),
  from: (value: string | null) => value && new Set(value.split(',')),
};

const TYPES: Readonly<
  Record<DatabaseKind, Readonly<Record<'bytes' | 'json' | 'instant' | 'list', ColumnType>>>
> = {
  sqlite: { bytes: 'blob', json: 'simple-json', instant: 'datetime', list: 'simple-array' },
  postgres: { bytes: 'bytea', json: 'jsonb', instant: 'timestamptz', list: 'simple-array' },
  mariadb: { bytes: 'blob', json: 'json', instant: 'datetime', list: 'simple-array' },
};

export function codecEntities(kind: DatabaseKind) {
  const types = TYPES[kind];

  class Detail {
    @Column({ type: 'int', nullable: true }) stars!: number | null;
    @Column({ type: types.instant, nullable: true }) at!: Date | null;
    summary(): string {
      return `${this.stars} stars`;
    }
  }

  class Counters {
    unit = 'points';
    @Column({ default: 0 }) likes!: number;
    @Column(() => Detail) detail!: Detail;
  }

  class Audit {
    @ManyToOne(() => User, { nullable: true }) editor!: Relation<User> | null;
    @Column({ nullable: true, type: 'varchar' }) reason!: string | null;
  }

  @Entity()
  class User extends BaseEntity {
    readonly greet = (): string => `hello ${this.name}`;
    readonly registry = new Map([['role', 'user']]);
    @PrimaryGeneratedColumn() id!: number;
    @Column() name!: string;
    @Column({ type: 'varchar', select: false, nullable: true }) secret!: string | null;
    @Column({ type: 'bigint', nullable: true }) big!: string | null;
    @Column({ type: 'bigint', nullable: true, transformer: toBigInt }) exact!: bigint | null;
    @Column({ type: 'varchar', nullable: true, transformer: reversed }) mirrored!: string | null;
    @Column({ type: 'varchar', nullable: true, transformer: toSet }) labels!: Set<string> | null;
    @Column({ type: types.bytes, nullable: true }) avatar!: Buffer | null;
    @Column({ type: types.json, nullable: true }) settings!: unknown;
    @Column({ type: types.list, nullable: true }) nick!: string[] | null;
    @Column({ type: 'float', nullable: true }) score!: number | null;
    @Column({ type: 'decimal', precision: 10, scale: 2, nullable: true }) balance!: string | null;
    @Column({ type: 'boolean', default: true }) active!: boolean;
    @Column({ type: 'date', nullable: true }) birth!: string | null;
    @Column({ type: types.instant, nullable: true }) seenAt!: Date | null;
    @CreateDateColumn() createdAt!: Date;
    @UpdateDateColumn() updatedAt!: Date;
    @VersionColumn() version!: number;
    @OneToMany(() => Post, (post) => post.author) posts!: Relation<Post>[];
    @OneToOne(() => Profile, (profile) => profile.user) profile!: Relation<Profile> | null;
    latest?: Relation<Post> | null;
    postIdList: number[] = [];
  }

  @Entity()
  class Profile {
    @PrimaryGeneratedColumn() id!: number;
    @Column() bio!: string;
    @OneToOne(() => User, (user) => user.profile) @JoinColumn() user!: Relation<User>;
  }

  @Entity()
  class Category {
    @PrimaryGeneratedColumn() id!: number;
    @Column() title!: string;
    @OneToMany(() => Post, (post) => post.category) posts!: Promise<Relation<Post>[]>;
  }

  @Entity()
  class Tag {
    @PrimaryColumn() name!: string;
    @PrimaryColumn() locale!: string;
    @ManyToMany(() => Post, (post) => post.tags) posts!: Relation<Post>[];
  }

  @Entity()
  class Post {
    @PrimaryGeneratedColumn() id!: number;
    @Column() title!: string;
    @ManyToOne(() => User, (user) => user.posts, { nullable: true }) author!: Relation<User> | null;
    @ManyToOne(() => Category, (category) => category.posts, { nullable: true })
    category!: Promise<Relation<Category> | null>;
    @ManyToMany(() => Tag, (tag) => tag.posts) @JoinTable() tags!: Relation<Tag>[];
    @OneToMany(() => Comment, (comment) => comment.post, { eager: true }) comments!: Relation<Comment>[];
    @RelationId((post: Post) => post.author) authorId!: number | null;
    @Column(() => Counters) counters!: Counters;
    @Column(() => Audit) audit!: Audit;
    @VirtualColumn({
      query: (alias) =>
        `SELECT COUNT(*) FROM comment WHERE ${kind === 'postgres' ? '"postId"' : 'postId'} = ${alias}.id`,
    })
    commentCount!: number;
    firstComment?: Relation<Comment> | null;
    allComments?: Relation<Comment>[];
    tagIds?: unknown[];
  }

  @Entity()
  class Comment {
    @PrimaryGeneratedColumn() id!: number;
    @Column() text!: string;
    @ManyToOne(() => Post, (post) => post.comments) post!: Relation<Post>;
    @ManyToOne(() => User, { eager: true, nullable: true }) writer!: Relation<User> | null;
  }

  @Entity()
  @TableInheritance({ column: { type: 'varchar', name: 'kind' } })
  class Person {
    @PrimaryGeneratedColumn() id!: number;
    @Column() name!: string;
  }

  @ChildEntity()
  class Employee extends Person {
    @Column({ nullable: true, type: 'int' }) salary!: number | null;
    @ManyToOne(() => Person, { nullable: true }) boss!: Relation<Person> | null;
  }

  @ChildEntity('buyer')
  class Customer extends Person {
    @Column({ nullable: true, type: types.instant }) since!: Date | null;
  }

  @Entity()
  @Tree('materialized-path')
  class Node {
    @PrimaryGeneratedColumn() id!: number;
    @Column() name!: string;
    @TreeChildren() children!: Relation<Node>[];
    @TreeParent() parent!: Relation<Node> | null;
  }

  @Entity()
  class Priced {
    @PrimaryGeneratedColumn() id!: number;
    @Column({ type: 'int', nullable: true, transformer: toMoney }) price!: Money | null;
  }

  @Entity()
  class Secretive extends Sealed {
    @PrimaryGeneratedColumn() id!: number;
  }
  Column({ type: 'varchar' })(Secretive.prototype, 'text');

  @ViewEntity({
    expression: (source) =>
      source.createQueryBuilder().select('user.id', 'id').addSelect('user.name', 'name').from(User, 'user'),
  })
  class UserName {
    @ViewColumn() id!: number;
    @ViewColumn() name!: string;
  }

  const Maker = new EntitySchema<{ id: number; name: string; gadgets?: object[] }>({
    name: 'Maker',
    columns: { id: { type: Number, primary: true, generated: true }, name: { type: String } },
    relations: { gadgets: { type: 'one-to-many', target: 'Gadget', inverseSide: 'maker' } },
  });
  const Size = new EntitySchema<{ width: number; unit: string | null }>({
    name: 'Size',
    columns: { width: { type: Number, default: 1 }, unit: { type: String, nullable: true } },
  });
  const Gadget = new EntitySchema<{
    id: number;
    name: string;
    madeAt: Date;
    maker: object | null;
    parts: Promise<object[]>;
    size: object;
  }>({
    name: 'Gadget',
    embeddeds: { size: { schema: Size, prefix: 'size' } },
    columns: {
      id: { type: Number, primary: true, generated: true },
      name: { type: String },
      madeAt: { type: types.instant },
    },
    relations: {
      maker: { type: 'many-to-one', target: 'Maker', nullable: true },
      parts: { type: 'one-to-many', target: 'Part', inverseSide: 'gadget', lazy: true },
    },
  });
  const Part = new EntitySchema<{ id: number; gadget: object }>({
    name: 'Part',
    columns: { id: { type: Number, primary: true, generated: true } },
    relations: { gadget: { type: 'many-to-one', target: 'Gadget' } },
  });

  return {
    ...{ User, Profile, Category, Tag, Post, Comment, Person, Employee, Customer, Node, Priced, Secretive },
    ...{ UserName, Maker, Gadget, Part, Counters, Detail },
  };
}

export type CodecEntities = ReturnType<typeof codecEntities>;
