import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
  ChildEntity,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';

@Entity()
export class Post {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ type: 'text', nullable: true })
  body!: string | null;

  @Column({ default: 0 })
  likes!: number;

  @CreateDateColumn()
  createdAt!: Date;

  @UpdateDateColumn()
  updatedAt!: Date;

  @DeleteDateColumn()
  deletedAt!: Date | null;

  @VersionColumn()
  version!: number;

  @OneToMany(() => Comment, (comment) => comment.post, { cascade: true })
  comments!: Relation<Comment>[];

  @ManyToMany(() => Tag)
  @JoinTable()
  tags!: Relation<Tag>[];
}

@Entity()
export class Comment {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;

  @VersionColumn()
  version!: number;

  @Column({ nullable: true })
  postId!: number | null;

  @ManyToOne(() => Post, (post) => post.comments, { nullable: true })
  post!: Relation<Post> | null;
}

@Entity()
export class Tag {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;
}

/** Natural key. */
@Entity()
export class Country {
  @PrimaryColumn({ length: 2 })
  code!: string;

  @Column()
  name!: string;

  @VersionColumn()
  version!: number;
}

@Entity()
export class Ticket {
  @PrimaryGeneratedColumn('uuid')
  id!: string;

  @Column()
  subject!: string;

  @VersionColumn()
  version!: number;
}

/** Composite key, and a table and columns with names of their own. */
@Entity('stock_levels')
export class Stock {
  @PrimaryColumn()
  shop!: number;

  @PrimaryColumn({ length: 20 })
  sku!: string;

  @Column({ name: 'how_many' })
  amount!: number;

  @VersionColumn({ name: 'row_revision' })
  revision!: number;
}

export class Meta {
  @Column({ default: '' })
  note!: string;

  @VersionColumn()
  version!: number;
}

@Entity()
export class Embedding {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @Column(() => Meta)
  meta!: Meta;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'type' } })
export class Content {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @VersionColumn()
  version!: number;
}

@ChildEntity()
export class Photo extends Content {
  @Column({ default: 0 })
  size!: number;
}

@ChildEntity()
export class Video extends Content {
  @Column({ default: 0 })
  seconds!: number;
}

@Entity()
@Tree('closure-table')
export class Folder {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @VersionColumn()
  version!: number;

  @TreeChildren()
  children!: Folder[];

  @TreeParent({ onDelete: 'CASCADE' })
  parent!: Folder | null;
}

@Entity()
@Tree('materialized-path')
export class Page {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @VersionColumn()
  version!: number;

  @TreeChildren()
  children!: Page[];

  @TreeParent()
  parent!: Page | null;
}

/** One tree, with one root. */
@Entity()
@Tree('nested-set')
export class Chapter {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @VersionColumn()
  version!: number;

  @TreeChildren()
  children!: Chapter[];

  @TreeParent()
  parent!: Chapter | null;
}

/** The column holds a number, the entity a text, and it is not loaded by itself. */
@Entity()
export class Odd {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @VersionColumn({
    select: false,
    transformer: {
      from: (value?: number) => value && `v${value}`,
      to: (value?: string) => value && Number(value.slice(1)),
    },
  })
  version!: string;
}

/** Nothing to guard. */
@Entity()
export class Plain {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;
}

export const VERSIONED = [
  Post,
  Comment,
  Tag,
  Country,
  Ticket,
  Stock,
  Embedding,
  Content,
  Photo,
  Video,
  Folder,
  Page,
  Chapter,
  Odd,
  Plain,
];

@Entity()
export class Counter {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  value!: number;

  @VersionColumn()
  version!: number;
}
