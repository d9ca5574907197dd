import { Column, Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';

/** What films have in common with others: a number and a name that occurs once. */
abstract class Named {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', length: 100, unique: true })
  name!: string;
}

@Entity()
export class Genre extends Named {}

@Entity()
export class Director extends Named {}

@Entity()
export class Distributor extends Named {}

/** MPAA rating; its code (`PG-13`) is its key. */
@Entity()
export class Rating {
  @PrimaryColumn({ type: 'varchar', length: 10 })
  code!: string;
}
