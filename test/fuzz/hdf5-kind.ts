/** @file Hostile HDF5 files. */
import type { Kind } from './kind.ts';

export const hdf5: Kind = { count: 5000, make: () => ({ title: 'to come', run: async () => 'to come' }) };
