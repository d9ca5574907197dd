import {
  Column,
  Entity,
  JoinColumn,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryGeneratedColumn,
  type Relation,
} from 'typeorm';

@Entity()
export class Category {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 128 }) title!: string;
  @OneToMany(() => Post, (post) => post.category) posts!: Relation<Post>[];
}

@Entity()
export class Post {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 128 }) title!: string;
  @Column({ default: true }) visible!: boolean;
  @Column() categoryId!: number;
  @ManyToOne(() => Category, (category) => category.posts, { onDelete: 'CASCADE' })
  category!: Relation<Category>;
  @OneToMany(() => Extra, (extra) => extra.post) extras!: Relation<Extra>[];
}

/** `tag` has a column name of its own and is what `toTag` refers to. */
@Entity()
export class Extra {
  @PrimaryGeneratedColumn() id!: number;
  @Column() postId!: number;
  @ManyToOne(() => Post, (post) => post.extras, { onDelete: 'CASCADE' }) post!: Relation<Post>;
  @Column({ name: 'custom_column_name', unique: true }) tag!: number;
  @Column({ name: 'to_tag_id', type: 'int', nullable: true }) toTagValue!: number | null;
  @ManyToOne(() => Extra, { nullable: true })
  @JoinColumn({ name: 'to_tag_id', referencedColumnName: 'tag' })
  toTag!: Relation<Extra> | null;
}

@Entity()
export class User {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ length: 64 }) username!: string;
}

@Entity()
export class Profile {
  @PrimaryGeneratedColumn() id!: number;
  @Column() userId!: number;
  @OneToOne(() => User, { onDelete: 'CASCADE' }) @JoinColumn() user!: Relation<User>;
  @Column({ default: 0 }) tag!: number;
}

export const BLOG = [Category, Post, Extra, User, Profile];
