import { Column, Entity, PrimaryGeneratedColumn, type ValueTransformer } from 'typeorm';
import type { DatabaseKind } from '../../support/databases.js';

/** A value of the application's own, whose text is not what the database gets. */
export class Colour {
  constructor(readonly name: string) {}

  toString(): string {
    return `the colour ${this.name}`;
  }
}

const colour: ValueTransformer = {
  to: (value: Colour | undefined) => value?.name,
  from: (name: string | null) => (name === null ? null : new Colour(name)),
};

const cents: ValueTransformer = {
  to: (euros: number | undefined) => (euros === undefined ? undefined : Math.round(euros * 100)),
  from: (value: number) => value / 100,
};

@Entity()
export class Weird {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'date', nullable: true }) day!: string | null;
  @Column({ type: Date, nullable: true }) at!: Date | null;
  @Column({ type: 'time', nullable: true }) clock!: string | null;
  @Column({ type: 'simple-array', nullable: true }) list!: string[] | null;
  @Column({ type: 'int', nullable: true, transformer: cents }) price!: number | null;
  @Column({ type: 'varchar', length: 32, nullable: true, transformer: colour }) colour!: Colour | null;
  @Column({ type: 'simple-json', nullable: true }) json!: unknown;
  @Column({ type: 'decimal', precision: 10, scale: 2, nullable: true }) amount!: string | null;
  @Column({ type: 'varchar', length: 32, nullable: true }) text!: string | null;
}

/** Binary columns have no type that all databases share. */
@Entity({ name: 'binary_row' })
export class Blob {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'blob' }) bytes!: Buffer;
}

@Entity({ name: 'binary_row' })
export class Bytea {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'bytea' }) bytes!: Buffer;
}

/** PostgreSQL only. */
@Entity()
export class Tagged {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'int', array: true }) tags!: number[];
  @Column({ type: 'jsonb', nullable: true }) data!: unknown;
  @Column({ type: 'point', nullable: true }) place!: string | null;
}

export const binaryOf = (kind: DatabaseKind): typeof Blob => (kind === 'postgres' ? Bytea : Blob);

export const weirdEntities = (kind: DatabaseKind) =>
  kind === 'postgres' ? [Weird, Bytea, Tagged] : [Weird, Blob];
