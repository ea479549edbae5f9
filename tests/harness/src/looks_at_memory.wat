;; The body of a worker in text form (wasi_http.wat) that answers if its memory is all zeros, and traps if somebody
;; else's bytes are in it: from behind what it needs itself to 64 pages.
(local $at i32)
(drop (memory.grow (i32.const 63)))
(local.set $at (i32.const 40960))
(loop $next
  (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
  (local.set $at (i32.add (local.get $at) (i32.const 8)))
  (br_if $next (i32.lt_u (local.get $at) (i32.const 4194304))))
(call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0)
  (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
