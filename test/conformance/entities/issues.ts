import {
  Column,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryGeneratedColumn,
  PrimaryColumn,
  type Relation,
} from 'typeorm';

/** #173: a chain of three tables. */
@Entity()
export class Contractor {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: true }) enable!: boolean;
  @OneToMany(() => Product, (product) => product.contractor) products!: Relation<Product>[];
}

@Entity()
export class Product {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'int', nullable: true }) contractorId!: number | null;
  @ManyToOne(() => Contractor, (contractor) => contractor.products, { nullable: true })
  contractor!: Relation<Contractor> | null;
  @Column({ default: '', length: 64 }) name!: string;
  @OneToMany(() => ProductReview, (review) => review.product) reviews!: Relation<ProductReview>[];
}

@Entity()
export class ProductReview {
  @PrimaryGeneratedColumn() id!: number;
  @Column() productId!: number;
  @ManyToOne(() => Product, (product) => product.reviews) product!: Relation<Product>;
  @Column({ default: 1 }) status!: number;
}

/** #312: a key that can be written in more than one way. */
@Entity()
export class Ticket {
  @PrimaryColumn('uuid') uid!: string;
  @Column({ default: '', length: 64 }) label!: string;
}

/** #348: a reference that the database sets to NULL. */
@Entity()
export class Foo {
  @PrimaryGeneratedColumn() id!: number;
  @OneToOne(() => Bar, (bar) => bar.foo) bar!: Relation<Bar> | null;
}

@Entity()
export class Bar {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'int', nullable: true }) fooId!: number | null;
  @OneToOne(() => Foo, (foo) => foo.bar, { nullable: true, onDelete: 'SET NULL' })
  @JoinColumn()
  foo!: Relation<Foo> | null;
  @Column({ default: 0 }) rank!: number;
}

/** #352: one declared property, two columns. */
export class Money {
  @Column({ default: 0 }) cents!: number;
  @Column({ default: 'EUR', length: 3 }) currency!: string;
}

@Entity()
export class Invoice {
  @PrimaryGeneratedColumn() id!: number;
  @Column(() => Money) total!: Money;
}

/** #430: a parent whose deletion cascades twice. */
@Entity()
export class Parent {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ default: '', length: 64 }) name!: string;
}

@Entity()
export class Child {
  @PrimaryGeneratedColumn() id!: number;
  @Column() parentId!: number;
  @ManyToOne(() => Parent, { onDelete: 'CASCADE' }) parent!: Relation<Parent>;
  @Column({ default: '', length: 64 }) name!: string;
}

@Entity()
export class Grandchild {
  @PrimaryGeneratedColumn() id!: number;
  @Column() childId!: number;
  @ManyToOne(() => Child, { onDelete: 'CASCADE' }) child!: Relation<Child>;
  @Column({ default: '', length: 64 }) name!: string;
}

export const ISSUES = [
  Contractor,
  Product,
  ProductReview,
  Ticket,
  Foo,
  Bar,
  Invoice,
  Parent,
  Child,
  Grandchild,
];
