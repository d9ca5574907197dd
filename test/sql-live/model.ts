import {
  BaseEntity,
  ChildEntity,
  Column,
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
  RelationId,
  TableInheritance,
  Tree,
  TreeChildren,
  TreeParent,
  UpdateDateColumn,
  VersionColumn,
  ViewColumn,
  ViewEntity,
  type Relation,
} from 'typeorm';

/** The entities whose SQL the fixtures hold; their tables are described once more in `test/sql/schema.ts`. */

export class Rating {
  @Column({ default: 0 }) score!: number;
  @Column({ nullable: true }) votes!: number;
}

@Entity('category')
export class Category {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 50 }) name!: string;
  @Column({ default: true }) visible!: boolean;
  @ManyToOne(() => Category, (c) => c.children, { nullable: true })
  @JoinColumn({ name: 'parent_id' })
  parent!: Category | null;
  @OneToMany(() => Category, (c) => c.parent) children!: Category[];
  @OneToMany(() => Film, (f) => f.category) films!: Relation<Film>[];
}

@Entity('actor')
export class Actor extends BaseEntity {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 50 }) name!: string;
  @ManyToMany(() => Film, (f) => f.actors) films!: Relation<Film>[];
}

@Entity('detail')
export class Detail {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 200 }) text!: string;
  @OneToOne(() => Film, (f) => f.detail) film!: Relation<Film>;
}

@Entity('film')
export class Film {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 100 }) title!: string;
  @Column({ default: true }) visible!: boolean;
  @Column({ type: 'decimal', precision: 10, scale: 2, default: 0 }) price!: string;
  @Column({ name: 'year_made', nullable: true }) year!: number;
  @Column(() => Rating) rating!: Rating;
  @ManyToOne(() => Category, (c) => c.films, { nullable: true, onDelete: 'CASCADE' })
  @JoinColumn({ name: 'category_id' })
  category!: Category | null;
  @RelationId((f: Film) => f.category) categoryId!: number;
  @OneToOne(() => Detail, (d) => d.film, { nullable: true, eager: true, cascade: true })
  @JoinColumn({ name: 'detail_id' })
  detail!: Detail | null;
  @ManyToMany(() => Actor, (a) => a.films, { cascade: true })
  @JoinTable({ name: 'film_actor', joinColumn: { name: 'film_id' }, inverseJoinColumn: { name: 'actor_id' } })
  actors!: Actor[];
  @OneToMany(() => Review, (r) => r.film) reviews!: Relation<Review>[];
  @CreateDateColumn({ name: 'created_at' }) createdAt!: Date;
  @UpdateDateColumn({ name: 'updated_at' }) updatedAt!: Date;
  @DeleteDateColumn({ name: 'deleted_at' }) deletedAt!: Date | null;
  @VersionColumn() version!: number;
}

@Entity('review')
export class Review {
  @PrimaryColumn({ name: 'film_id' }) filmId!: number;
  @PrimaryColumn({ name: 'seq' }) seq!: number;
  @Column({ length: 20 }) author!: string;
  @Column({ nullable: true }) stars!: number;
  @ManyToOne(() => Film, (f) => f.reviews)
  @JoinColumn({ name: 'film_id' })
  film!: Film;
}

@Entity('person')
@TableInheritance({ column: { name: 'kind', type: 'varchar', length: 20 } })
export class Person {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column({ length: 50 }) name!: string;
}

@ChildEntity('employee')
export class Employee extends Person {
  @Column({ nullable: true }) salary!: number;
}

@ChildEntity('customer')
export class Customer extends Person {
  @Column({ nullable: true }) points!: number;
}

@Entity('section')
@Tree('closure-table', { closureTableName: 'section' })
export class Section {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 50 }) name!: string;
  @TreeParent() parent!: Section | null;
  @TreeChildren() children!: Section[];
}

@Entity('topic')
@Tree('materialized-path')
export class Topic {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 50 }) name!: string;
  @TreeParent() parent!: Topic | null;
  @TreeChildren() children!: Topic[];
}

@Entity('genre')
@Tree('nested-set')
export class Genre {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 50 }) name!: string;
  @TreeParent() parent!: Genre | null;
  @TreeChildren() children!: Genre[];
}

@ViewEntity({
  name: 'film_stat',
  dependsOn: [Film],
  expression: (source) =>
    source
      .createQueryBuilder()
      .select('f.category_id', 'category_id')
      .addSelect('COUNT(*)', 'films')
      .from(Film, 'f')
      .groupBy('f.category_id'),
})
export class FilmStat {
  @ViewColumn({ name: 'category_id' }) categoryId!: number;
  @ViewColumn() films!: number;
}

export const ENTITIES = [
  Category,
  Actor,
  Detail,
  Film,
  Review,
  Person,
  Employee,
  Customer,
  Section,
  Topic,
  Genre,
  FilmStat,
];
