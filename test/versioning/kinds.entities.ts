import {
  Column,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  type Relation,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { VersionFields } from '../../lib/index.js';
import { RowVersion } from '../../lib/typeorm/index.js';

@Entity()
export class Label {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;
}

/** Prices and labels count, views do not. */
@Entity()
@VersionFields('price', 'stock', 'labels')
export class Product {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  price!: number;

  @Column({ default: 0 })
  stock!: number;

  @Column({ default: 0 })
  views!: number;

  @Column({ default: '' })
  note!: string;

  @VersionColumn()
  version!: number;

  @ManyToMany(() => Label)
  @JoinTable()
  labels!: Label[];
}

@Entity()
export class Invoice {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  customer!: string;

  @VersionColumn()
  version!: number;

  @OneToMany(() => Line, (line) => line.invoice, { cascade: true })
  lines!: Relation<Line>[];

  @ManyToMany(() => Label)
  @JoinTable()
  labels!: Label[];
}

@Entity()
export class Line {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;

  @ManyToOne(() => Invoice, (invoice) => invoice.lines, { orphanedRowAction: 'delete' })
  invoice!: Relation<Invoice>;
}

@Entity()
export class Dated {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @UpdateDateColumn()
  updatedAt!: Date;
}

@Entity()
export class Legacy {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @Column({ default: 0 })
  hits!: number;

  @RowVersion()
  revision!: string;
}

export const KINDS = [Label, Product, Invoice, Line, Dated];
