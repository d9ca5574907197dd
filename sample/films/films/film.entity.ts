import {
  Column,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryGeneratedColumn,
  VersionColumn,
  type ValueTransformer,
} from 'typeorm';
import { Director, Distributor, Genre, Rating } from './named.entities.js';

/** Dollars exceed 32 bits, and drivers answer 64-bit integers as text. All of them are safe integers. */
const dollars: ValueTransformer = {
  to: (value: number | null) => value,
  from: (value: string | number | null) => (value === null ? null : Number(value)),
};

const money = { type: 'bigint', nullable: true, transformer: dollars } as const;
const count = { type: 'int', nullable: true } as const;
const text = { type: 'varchar', length: 100, nullable: true } as const;

/**
 * One film. Nearly everything is nullable, as in the data. The foreign keys are columns of their own, so that a query
 * can compare them: a condition on `genreId` is more precise for the cache than one on the joined genre's name.
 */
@Entity()
export class Film {
  @PrimaryGeneratedColumn()
  id!: number;

  /** Goes up with each change. Whoever saves a film that has changed since they read it is told so. */
  @VersionColumn({ default: 1 })
  version!: number;

  @Column({ type: 'varchar', length: 200, nullable: true })
  title!: string | null;

  /** `YYYY-MM-DD`. */
  @Column({ type: 'date', nullable: true })
  releaseDate!: string | null;

  /** The year of `releaseDate`, to filter by. */
  @Index()
  @Column(count)
  releaseYear!: number | null;

  @Column(count)
  runningMinutes!: number | null;

  @Column(money)
  productionBudget!: number | null;

  @Column(money)
  usGross!: number | null;

  @Column(money)
  worldwideGross!: number | null;

  @Column(money)
  usDvdSales!: number | null;

  /** Percent. */
  @Column(count)
  rottenTomatoesRating!: number | null;

  @Column({ type: 'float', nullable: true })
  imdbRating!: number | null;

  @Column(count)
  imdbVotes!: number | null;

  /** What the film is made from, such as `Original Screenplay`. */
  @Column(text)
  source!: string | null;

  @Column(text)
  creativeType!: string | null;

  @Index()
  @Column(count)
  genreId!: number | null;

  @ManyToOne(() => Genre, { nullable: true })
  @JoinColumn({ name: 'genreId' })
  genre!: Genre | null;

  @Index()
  @Column(count)
  directorId!: number | null;

  @ManyToOne(() => Director, { nullable: true })
  @JoinColumn({ name: 'directorId' })
  director!: Director | null;

  @Column(count)
  distributorId!: number | null;

  @ManyToOne(() => Distributor, { nullable: true })
  @JoinColumn({ name: 'distributorId' })
  distributor!: Distributor | null;

  @Index()
  @Column({ type: 'varchar', length: 10, nullable: true })
  ratingCode!: string | null;

  @ManyToOne(() => Rating, { nullable: true })
  @JoinColumn({ name: 'ratingCode' })
  rating!: Rating | null;
}
