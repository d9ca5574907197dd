import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('article')
export class Article {
  @PrimaryColumn()
  id!: number;

  @Column()
  title!: string;
}

/** The same table, as the next release knows it. */
@Entity('article')
export class ArticleOfNextRelease {
  @PrimaryColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ default: 'none' })
  summary!: string;
}

/** By release of the application. */
export const RELEASES = { old: Article, next: ArticleOfNextRelease } as const;
