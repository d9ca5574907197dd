import {
  ChildEntity,
  Column,
  type ColumnOptions,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import type { DatabaseKind } from '../support/databases.js';

/** Text that the database keeps reversed: what the application compares with is not what the column holds. */
const reversed = {
  to: (value: string | null | undefined) => value && [...value].reverse().join(''),
  from: (value: string | null | undefined) => value && [...value].reverse().join(''),
};

/** Relations are named by strings, so that the files of two entities need not import each other. */
interface Types {
  readonly folded: ColumnOptions;
  readonly exact: ColumnOptions;
  readonly fixed: ColumnOptions;
  readonly list: ColumnOptions;
  readonly json: ColumnOptions;
  readonly bytes: ColumnOptions;
  readonly instant: ColumnOptions;
  readonly float: ColumnOptions;
  readonly status: ColumnOptions;
  readonly uuid: ColumnOptions;
}

export const STATUSES = ['draft', 'live', 'gone'];

const TYPES: Readonly<Record<DatabaseKind, Types>> = {
  sqlite: {
    folded: { type: 'varchar', collation: 'NOCASE' },
    exact: { type: 'varchar' },
    fixed: { type: 'character', length: 4, collation: 'RTRIM' },
    list: { type: 'simple-array' },
    json: { type: 'simple-json' },
    bytes: { type: 'blob' },
    instant: { type: 'datetime' },
    float: { type: 'real' },
    status: { type: 'simple-enum', enum: STATUSES },
    uuid: { type: 'varchar', length: 36 },
  },
  postgres: {
    folded: { type: 'citext' },
    exact: { type: 'varchar' },
    fixed: { type: 'char', length: 4 },
    list: { type: 'text', array: true },
    json: { type: 'jsonb' },
    bytes: { type: 'bytea' },
    instant: { type: 'timestamptz' },
    float: { type: 'double precision' },
    status: { type: 'enum', enum: STATUSES },
    uuid: { type: 'uuid' },
  },
  mariadb: {
    folded: { type: 'varchar', length: 60 },
    exact: { type: 'varchar', length: 60, collation: 'utf8mb4_bin' },
    fixed: { type: 'char', length: 4 },
    list: { type: 'simple-array' },
    json: { type: 'json' },
    bytes: { type: 'blob' },
    instant: { type: 'datetime' },
    float: { type: 'double' },
    status: { type: 'enum', enum: STATUSES },
    uuid: { type: 'uuid' },
  },
};

/** Entities with every kind of column and relation that the design names, in the types of one database. */
export function differentialEntities(kind: DatabaseKind) {
  const types = TYPES[kind];
  return [
    ...people(types),
    ...articles(types),
    ...comments(types),
    ...assets(),
    ...topics(types),
    ...settings(types),
  ];
}

function people(types: Types) {
  class Address {
    @Column({ ...types.folded, nullable: true }) city!: string | null;
    @Column({ type: 'int', default: 0 }) zip!: number;
  }
  @Entity()
  class Author {
    @PrimaryColumn(types.uuid as { type: 'uuid' }) id!: string;
    @Column({ ...types.exact, nullable: true }) name!: string | null;
    @Column({ ...types.folded, unique: true }) email!: string;
    @Column(() => Address) address!: Address;
    @OneToMany('Article', 'author') articles!: unknown[];
    @OneToOne('Profile', 'author') profile!: unknown;
  }
  @Entity()
  class Profile {
    @PrimaryColumn('int') id!: number;
    @Column({ type: 'text', nullable: true, transformer: reversed }) bio!: string | null;
    @OneToOne('Author', 'profile', { onDelete: 'CASCADE', nullable: true })
    @JoinColumn()
    author!: unknown;
  }
  return [Author, Profile];
}

function articles(types: Types) {
  @Entity()
  class Category {
    @PrimaryColumn('int') id!: number;
    @Column({ ...types.folded, nullable: true }) name!: string | null;
    @Column({ type: 'int', default: 0 }) rank!: number;
    @ManyToOne('Category', 'children', { onDelete: 'SET NULL', nullable: true }) parent!: unknown;
    @OneToMany('Category', 'parent') children!: unknown[];
    @OneToMany('Article', 'category') articles!: unknown[];
    @DeleteDateColumn() deletedAt!: Date | null;
  }
  @Entity()
  class Label {
    @PrimaryColumn({ ...types.folded, length: kindLength(types) } as { type: 'varchar' }) code!: string;
    @Column({ type: 'smallint', default: 0 }) weight!: number;
    @ManyToMany('Article', 'labels') articles!: unknown[];
  }
  return [Category, Label, article(types)];
}

const kindLength = ({ folded }: Types): number | undefined => (folded.type === 'citext' ? undefined : 60);

function article(types: Types) {
  @Entity()
  class Article {
    @PrimaryColumn('int') id!: number;
    @Column({ ...types.folded, nullable: true }) title!: string | null;
    @Column({ ...types.exact, nullable: true }) slug!: string | null;
    @Column({ ...types.fixed, nullable: true }) code!: string | null;
    @Column({ type: 'int', default: 0 }) views!: number;
    @Column({ type: 'bigint', nullable: true }) big!: string | null;
    @Column({ type: 'decimal', precision: 10, scale: 2, nullable: true }) price!: string | null;
    @Column({ ...types.float, nullable: true }) rating!: number | null;
    @Column({ type: 'boolean', default: false }) published!: boolean;
    @Column({ ...types.status, default: 'draft' }) status!: string;
    @Column({ ...types.instant, nullable: true }) at!: Date | null;
    @Column({ type: 'date', nullable: true }) day!: string | null;
    @Column({ type: 'time', nullable: true }) hour!: string | null;
    @Column({ ...types.uuid, nullable: true }) ref!: string | null;
    @Column({ ...types.json, nullable: true }) meta!: unknown;
    @Column({ ...types.list, nullable: true }) tags!: string[] | null;
    @Column({ ...types.bytes, nullable: true }) data!: Buffer | null;
    @Column({ type: 'text', nullable: true, transformer: reversed }) body!: string | null;
    @ManyToOne('Category', 'articles', { onDelete: 'SET NULL', nullable: true }) category!: unknown;
    @ManyToOne('Author', 'articles', { onDelete: 'CASCADE', nullable: true }) author!: unknown;
    @ManyToMany('Label', 'articles', { cascade: ['insert', 'update'] }) @JoinTable() labels!: unknown[];
    @OneToMany('Comment', 'article', { cascade: true }) comments!: unknown[];
    @OneToMany('Asset', 'article') assets!: unknown[];
    @DeleteDateColumn() deletedAt!: Date | null;
    @VersionColumn() version!: number;
  }
  return Article;
}

function comments(types: Types) {
  @Entity()
  class Comment {
    @PrimaryGeneratedColumn() id!: number;
    @Column({ ...types.exact, nullable: true }) text!: string | null;
    @Column({ type: 'int', default: 0 }) stars!: number;
    @ManyToOne('Article', 'comments', { onDelete: 'CASCADE', nullable: true, orphanedRowAction: 'delete' })
    article!: unknown;
    @ManyToOne('Author', { onDelete: 'SET NULL', nullable: true, lazy: true }) author!: Promise<unknown>;
    @CreateDateColumn() createdAt!: Date;
    @UpdateDateColumn() updatedAt!: Date;
  }
  return [Comment];
}

function assets() {
  @Entity()
  @TableInheritance({ column: { type: 'varchar', name: 'kind' } })
  class Asset {
    @PrimaryColumn('bigint') id!: string;
    @Column({ type: 'int', default: 0 }) size!: number;
    @ManyToOne('Article', 'assets', { onDelete: 'CASCADE', nullable: true }) article!: unknown;
  }
  @ChildEntity()
  class Picture extends Asset {
    @Column({ type: 'int', nullable: true }) width!: number | null;
  }
  @ChildEntity()
  class Video extends Asset {
    @Column({ type: 'int', nullable: true }) seconds!: number | null;
  }
  return [Asset, Picture, Video];
}

function topics(types: Types) {
  @Entity()
  @Tree('closure-table')
  class Topic {
    @PrimaryColumn('int') id!: number;
    @Column({ ...types.exact, nullable: true }) name!: string | null;
    @TreeParent({ onDelete: 'CASCADE' }) parent!: unknown;
    @TreeChildren() children!: unknown[];
  }
  @Entity()
  @Tree('materialized-path')
  class Folder {
    @PrimaryColumn('int') id!: number;
    @Column({ type: 'int', default: 0 }) files!: number;
    @TreeParent({ onDelete: 'CASCADE' }) parent!: unknown;
    @TreeChildren() children!: unknown[];
  }
  return [Topic, Folder];
}

function settings(types: Types) {
  @Entity()
  class Setting {
    @PrimaryColumn({ ...types.folded, length: kindLength(types) } as { type: 'varchar' }) scope!: string;
    @PrimaryColumn('int') slot!: number;
    @Column({ ...types.exact, nullable: true }) value!: string | null;
    @Column({ type: 'decimal', precision: 8, scale: 3, nullable: true }) amount!: string | null;
  }
  return [Setting];
}
