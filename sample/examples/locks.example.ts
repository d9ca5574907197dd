import { Injectable } from '@nestjs/common';
import { Lock, LockService } from 'nestjs-cacheops';
import { fence, type FencedLock } from 'nestjs-cacheops/typeorm';
import { Column, DataSource, Entity, PrimaryColumn } from 'typeorm';

@Entity()
export class Seat {
  @PrimaryColumn('int') id!: number;
  @Column({ type: 'varchar', nullable: true }) guest!: string | null;
}

@Injectable()
export class Box {
  constructor(
    private readonly locks: LockService,
    private readonly dataSource: DataSource,
  ) {}

  /** One at a time for each seat, over all processes. */
  @Lock(({ args }) => `seat:${String(args[0])}`, { wait: '2s' })
  async book(seat: number, guest: string): Promise<boolean> {
    const seats = this.dataSource.getRepository(Seat);
    const { guest: taken } = await seats.findOneByOrFail({ id: seat });
    if (taken !== null) return false;
    await seats.update({ id: seat }, { guest });
    return true;
  }

  /** Who comes while another one is at it has nothing to do. */
  async tidy(work: () => Promise<void>): Promise<boolean> {
    const lock = await this.locks.tryAcquire('tidy', { label: 'tidying up' });
    if (!lock) return false;
    try {
      await work();
    } finally {
      await lock.release();
    }
    return true;
  }

  /** Refuses itself when a later holder of the lock has written. */
  async cancel(seat: number, lock: FencedLock): Promise<void> {
    await this.dataSource.transaction(async (manager) => {
      await fence(manager, lock);
      await manager.update(Seat, { id: seat }, { guest: null });
    });
  }
}
