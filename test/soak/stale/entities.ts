import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** A row whose version grows by one with each commit that changes it. */
@Entity()
export class Item {
  @PrimaryColumn()
  id!: number;

  @Index()
  @Column()
  shelf!: number;

  @Column()
  version!: number;
}

/** Every version that was committed, written by the transaction that made it. */
@Entity()
export class History {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column()
  item!: number;

  @Column()
  version!: number;

  @Column()
  shelf!: number;

  /** Host time before its COMMIT. */
  @Column('double precision')
  begun!: number;
}
