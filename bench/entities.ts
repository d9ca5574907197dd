import { Column, Entity, Index, PrimaryGeneratedColumn, VersionColumn } from 'typeorm';

export const GROUPS = 8;
export const ROWS_PER_GROUP = 50;
export const ROWS = GROUPS * ROWS_PER_GROUP;

/** Twenty columns, three of them dates. */
@Entity()
export class Article {
  @PrimaryGeneratedColumn()
  id!: number;

  @Index()
  @Column({ type: 'int' })
  groupId!: number;

  @Column()
  title!: string;

  @Column()
  slug!: string;

  @Column()
  author!: string;

  @Column()
  email!: string;

  @Column({ type: 'text' })
  summary!: string;

  @Column({ type: 'text' })
  body!: string;

  @Column({ nullable: true, type: 'varchar' })
  subtitle!: string | null;

  @Column()
  language!: string;

  @Column()
  state!: string;

  @Column({ type: 'int' })
  views!: number;

  @Column({ type: 'int' })
  likes!: number;

  @Column({ type: 'int' })
  position!: number;

  @Column({ type: 'float' })
  score!: number;

  @Column()
  visible!: boolean;

  @Column()
  pinned!: boolean;

  @Column()
  createdAt!: Date;

  @Column()
  updatedAt!: Date;

  @Column({ nullable: true, type: Date })
  publishedAt!: Date | null;
}

/** The same, and a number of its changes, which TypeORM counts with or without a guard. */
@Entity()
export class VersionedArticle extends Article {
  @VersionColumn()
  version!: number;
}

/** Always the same rows; `index` counts from 0. */
export function articleRow(index: number): Omit<Article, 'id'> {
  const day = 86_400_000;
  const at = (offset: number): Date => new Date(1_700_000_000_000 + index * 61_001 + offset);
  return {
    groupId: 1 + Math.floor(index / ROWS_PER_GROUP),
    title: `How to read article number ${index}`,
    slug: `how-to-read-article-number-${index}`,
    author: `Author ${index % 17}`,
    email: `author${index % 17}@example.org`,
    summary: `A summary of some words that is as long as one usually is, of article ${index}.`,
    body: `${index} ${'Lorem ipsum dolor sit amet. '.repeat(5)}`,
    subtitle: index % 3 === 0 ? null : `Subtitle ${index}`,
    language: index % 2 === 0 ? 'en' : 'de',
    state: 'published',
    views: index * 31,
    likes: index * 7,
    position: index,
    score: index / 7,
    visible: true,
    pinned: index % 10 === 0,
    createdAt: at(0),
    updatedAt: at(day),
    publishedAt: index % 5 === 0 ? null : at(2 * day),
  };
}
