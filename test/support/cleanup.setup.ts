import { afterAll, afterEach, beforeEach } from '@jest/globals';
import { enterTest, leaveFile, leaveTest } from './cleanup.js';

beforeEach(enterTest);
afterEach(leaveTest);
afterAll(leaveFile);
