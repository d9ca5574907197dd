import { Module } from '@nestjs/common';
import { RequestMeter } from './request-meter.js';

@Module({ providers: [RequestMeter], exports: [RequestMeter] })
export class MeterModule {}
