// How long an exchange may go without a byte, or with too few of them.

/** Slower than this for longer than the silence allowed is as bad as silence. Bytes for a millisecond: 1 KiB for a second. */
const LEAST_SPEED = 1024 / 1000;

/** What the kernel may have taken off our hands without having sent it, and the speed at which we give it time to. */
const KERNEL_BUFFER = 4 * 1024 * 1024;
const KERNEL_SPEED = (128 * 1024) / 1000;

export interface Pace {
  /** Bytes went up or came down. */
  readonly moved: (bytes: number) => void;
  /** The answer's head has come. */
  readonly answered: () => void;
  readonly stop: () => void;
}

/**
 * Calls `onStall` after `silenceMs` without a byte, and also when bytes come, but slower than LEAST_SPEED: each byte
 * moves the deadline by the time it may take, and never further than `silenceMs` from now.
 */
export function startPace(silenceMs: number, uploadBytes: number, onStall: () => void): Pace {
  // An upload's last bytes are still on their way when we have handed them over.
  let patience = silenceMs + Math.min(uploadBytes, KERNEL_BUFFER) / KERNEL_SPEED;
  let deadline = performance.now() + patience;
  const check = (): void => {
    const left = deadline - performance.now();
    if (left <= 0) onStall();
    else timer = setTimeout(check, left);
  };
  let timer = setTimeout(check, patience);
  return {
    moved: (bytes) => {
      deadline = Math.min(performance.now() + patience, deadline + bytes / LEAST_SPEED);
    },
    answered: () => {
      patience = silenceMs;
      deadline = performance.now() + patience;
      clearTimeout(timer);
      timer = setTimeout(check, patience);
    },
    stop: () => clearTimeout(timer),
  };
}
