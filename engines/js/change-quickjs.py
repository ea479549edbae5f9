#!/usr/bin/env python3
"""Changes quickjs.c of QuickJS-ng 0.16.2, in place, as the engine needs it. A place that is not found is an error: then the
library was updated, and each change is to be looked at again."""

import sys

DONE = "/* changed for Wasmyard */\n"
path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    text = file.read()
if text.startswith(DONE):
    sys.exit()


def change(before, after):
    global text
    if text.count(before) != 1:
        sys.exit(f"change-quickjs: {text.count(before)} places instead of one: {before!r}")
    text = text.replace(before, after)


# A stack has a limit here as everywhere. The depth of the shadow stack is the measure.
change("#ifdef __wasi__\n    rt->stack_size = 0;\n#endif\n", "")
change("#if defined(__wasi__)\n    rt->stack_limit = 0; /* no limit */\n#else\n    if (rt->stack_size == 0) {",
       "#if 0\n#else\n    if (rt->stack_size == 0) {")

# Small blocks come in arenas. Those of an earlier phase (see `memory.rs`) are neither taken from nor given back to, so that
# what a script makes lies in pages of its own and what a request makes in others.
change("#define JS_ARENA_SIZE              4096\n",
       "#define JS_ARENA_SIZE              (4096 - 16) /* the allocator below adds 16 */\n"
       "#define WASMYARD_FIRST_ARENA       (1024 - 16)\nuint64_t wasmyard_random_seed(void);\n")
change("    uint16_t first_free_block;    /* JS_ARENA_FREE_NIL if none */\n",
       "    uint16_t first_free_block;    /* JS_ARENA_FREE_NIL if none */\n    uint8_t  closed;\n")
change("    ar->first_free_block = 0;\n", "    ar->first_free_block = 0;\n    ar->closed = 0;\n")
change("""                                  sizeof(JSArena));
        b->u.free_next = ar->first_free_block;
""", """                                  sizeof(JSArena));
        if (ar->closed)
            return;
        if (wasmyard_zero_freed)
            memset(b->user_data, 0, block_size - sizeof(*b));
        b->u.free_next = ar->first_free_block;
""")
change("static inline JSMallocBlockHeader *arena_zero_block(JSRuntime *rt)\n", """
bool wasmyard_zero_freed = true;
void wasmyard_close_arenas(JSContext *ctx);
static JSValue wasmyard_refuse_code(JSContext *ctx, const char *fmt, ...);
static inline JSMallocBlockHeader *arena_zero_block(JSRuntime *rt)
""")

# No code is made of text once a script has started; the product's own error says so.
change("""        return JS_ThrowTypeError(ctx, "eval is not supported");""",
       """        return wasmyard_refuse_code(ctx,
            "Code generation from strings disallowed for this context");""")

# Chance begins anew in each event, when it is first asked for. Until a script is sealed the state is never zero.
change("    v = xorshift64star(&ctx->random_state);\n", """    if (ctx->random_state == 0)
        ctx->random_state = wasmyard_random_seed();
    v = xorshift64star(&ctx->random_state);
""")

# The first arena of a size is small: a request uses most sizes, and few blocks of each, and every page that it touches
# is to be made good behind it.
change("    n_blocks = (JS_ARENA_SIZE - sizeof(JSArena)) / block_size;\n",
       "    n_blocks = ((list_empty(&rt->arena_state.arena_list[block_size_idx]) && !wasmyard_zero_freed\n"
       "                 ? WASMYARD_FIRST_ARENA : JS_ARENA_SIZE) - sizeof(JSArena)) / block_size;\n")

text += """
static JSValue wasmyard_refuse_code(JSContext *ctx, const char *fmt, ...)
{
    va_list ap;
    JSValue error;
    va_start(ap, fmt);
    error = JS_ThrowError(ctx, JS_EVAL_ERROR, fmt, ap);
    va_end(ap);
    return error;
}

void wasmyard_close_arenas(JSContext *ctx)
{
    JSRuntime *rt = ctx->rt;
    int i;
    for (i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
        struct list_head *el;
        list_for_each(el, &rt->arena_state.arena_list[i])
            list_entry(el, JSArena, link)->closed = 1;
        init_list_head(&rt->arena_state.arena_list[i]);
        init_list_head(&rt->arena_state.free_arena_list[i]);
    }
}

void wasmyard_disable_eval(JSContext *ctx);
void wasmyard_disable_eval(JSContext *ctx)
{
    ctx->eval_internal = NULL;
}

void wasmyard_forget_seed(JSContext *ctx);
void wasmyard_forget_seed(JSContext *ctx)
{
    ctx->random_state = 0;
}
"""
with open(path, "w", encoding="utf-8") as file:
    file.write(DONE + text)
