import {
  ChildEntity,
  Column,
  Entity,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
} from 'typeorm';

/** PremiumBrand, a multi-table child in the original, shares the table here. */
@Entity()
@TableInheritance({ column: { type: 'varchar', length: 32, name: 'kind' } })
export class Brand {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64, default: '' }) name!: string;
  @ManyToMany(() => Label, (label) => label.brands)
  @JoinTable({ name: 'brand_label' })
  labels!: Relation<Label>[];
  @OneToMany(() => Labeling, (labeling) => labeling.brand) labelings!: Relation<Labeling>[];
}

@ChildEntity()
export class PremiumBrand extends Brand {
  @Column({ type: 'int', nullable: true }) price!: number | null;
}

@Entity()
export class Label {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 128, default: '' }) text!: string;
  @ManyToMany(() => Brand, (brand) => brand.labels) brands!: Relation<Brand>[];
  @OneToMany(() => Labeling, (labeling) => labeling.label) labelings!: Relation<Labeling>[];
}

/** Explicit through entity. */
@Entity()
export class Labeling {
  @PrimaryColumn() brandId!: number;
  @PrimaryColumn() labelId!: number;
  @Column({ default: 0 }) tag!: number;
  @ManyToOne(() => Brand, (brand) => brand.labelings, { onDelete: 'CASCADE' }) brand!: Relation<Brand>;
  @ManyToOne(() => Label, (label) => label.labelings, { onDelete: 'CASCADE' }) label!: Relation<Label>;
}

export const MUSIC = [Brand, PremiumBrand, Label, Labeling];
