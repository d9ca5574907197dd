import {
  ChildEntity,
  Column,
  Entity,
  OneToOne,
  JoinColumn,
  PrimaryGeneratedColumn,
  type Relation,
  TableInheritance,
} from 'typeorm';

/** Django's proxy models: more entities on the table of `Video`. */
@Entity({ name: 'video' })
export class Video {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) title!: string;
}

@Entity({ name: 'video', synchronize: false })
export class VideoProxy {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) title!: string;
}

@Entity({ name: 'video', synchronize: false })
export class VideoSibling {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) title!: string;
}

/** Never cached, see the rules of the suite. */
@Entity({ name: 'video', synchronize: false })
export class UncachedVideo {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) title!: string;
}

/** Django's multi-table inheritance: one table with a discriminator. */
@Entity()
@TableInheritance({ column: { type: 'varchar', length: 32, name: 'kind' } })
export class Media {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) name!: string;
}

@ChildEntity()
export class Movie extends Media {
  @Column({ type: 'int', nullable: true }) year!: number | null;
}

@ChildEntity()
export class Scene extends Media {
  @Column({ type: 'varchar', length: 64, nullable: true }) place!: string | null;
}

/** The other meaning of multi-table inheritance: a child row that holds the key of its parent row. */
@Entity()
export class Base {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) name!: string;
}

@Entity()
export class Derived {
  @PrimaryGeneratedColumn() id!: number;
  @Column() baseId!: number;
  @OneToOne(() => Base, { eager: true, onDelete: 'CASCADE' }) @JoinColumn() base!: Relation<Base>;
  @Column({ length: 64, default: '' }) detail!: string;
}

/** An abstract base without a table. */
export abstract class Abstract {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) name!: string;
}

@Entity()
export class FirstConcrete extends Abstract {}

@Entity()
export class SecondConcrete extends Abstract {}

export const MEDIA = [
  Video,
  VideoProxy,
  VideoSibling,
  UncachedVideo,
  Media,
  Movie,
  Scene,
  Base,
  Derived,
  FirstConcrete,
  SecondConcrete,
];
