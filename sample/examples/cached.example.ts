import { Injectable } from '@nestjs/common';
import { Cached } from 'nestjs-cacheops';

@Injectable()
export class RatesService {
  asked = 0;

  @Cached({ ttl: '10m', tags: ['rates'] })
  async rate(currency: string): Promise<number> {
    this.asked++;
    return currency === 'EUR' ? 1 : 2;
  }
}
