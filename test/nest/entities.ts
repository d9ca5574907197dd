import {
  Column,
  Entity,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';

export class Address {
  @Column({ default: '' })
  city!: string;

  @Column({ default: '' })
  street!: string;
}

@Entity()
export class Category {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @OneToMany(() => Article, (article) => article.category)
  articles!: Relation<Article>[];
}

@Entity()
export class Article {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ default: true })
  visible!: boolean;

  @Column({ type: 'simple-json', nullable: true })
  extra!: object | null;

  @ManyToOne(() => Category, (category) => category.articles, { nullable: true })
  category!: Relation<Category> | null;

  @Column({ nullable: true })
  categoryId!: number | null;

  @Column(() => Address)
  address!: Address;
}

@Entity()
export class Pair {
  @PrimaryColumn()
  left!: number;

  @PrimaryColumn()
  right!: number;
}

export const ENTITIES = [Category, Article, Pair];
