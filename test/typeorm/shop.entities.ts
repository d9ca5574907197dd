import {
  AfterLoad,
  Column,
  Entity,
  Index,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';

@Entity()
export class Shelf {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  name!: string;

  @OneToMany(() => Item, (item) => item.shelf)
  items!: Relation<Item>[];
}

@Entity()
export class Label {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;
}

@Entity()
export class Item {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  title!: string;

  @Column({ default: true })
  visible!: boolean;

  @Index()
  @Column({ type: 'int', default: 0 })
  stock!: number;

  @Column({ nullable: true, type: 'int' })
  shelfId!: number | null;

  @ManyToOne(() => Shelf, (shelf) => shelf.items, { onDelete: 'SET NULL', nullable: true })
  shelf!: Relation<Shelf> | null;

  @ManyToMany(() => Label)
  @JoinTable()
  labels!: Label[];

  @OneToMany(() => Note, (note) => note.item, { cascade: true })
  notes!: Relation<Note>[];

  loads?: number;

  @AfterLoad()
  countLoads(): void {
    this.loads = (this.loads ?? 0) + 1;
  }
}

@Entity()
export class Note {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  text!: string;

  @Column({ default: 'new' })
  state!: string;

  @ManyToOne(() => Item, (item) => item.notes, { onDelete: 'CASCADE' })
  item!: Relation<Item>;
}

export const SHOP = [Shelf, Label, Item, Note];
