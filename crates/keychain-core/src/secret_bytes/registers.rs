//! Copying moves bytes through vector registers, which keep them until something else is copied. A thread that waits for
//! work keeps them for long, and a core has the registers of every thread.

/// Zeroes the vector registers of this thread that a call may change (System V and AAPCS64: what a caller keeps in the
/// others is not from here). To be called after a value was copied or worked on. On other machines it does nothing.
pub fn clear_registers() {
    #[cfg(all(unix, target_arch = "x86_64"))]
    x86_64::clear();
    #[cfg(all(unix, target_arch = "aarch64"))]
    aarch64::clear();
}

#[cfg(all(unix, target_arch = "x86_64"))]
mod x86_64 {
    use std::arch::asm;

    pub(super) fn clear() {
        // Where copies use them, the C library asked for the same.
        if is_x86_feature_detected!("avx512vl") {
            // SAFETY: the processor has AVX-512.
            unsafe { clear_avx512() };
        } else if is_x86_feature_detected!("avx") {
            // SAFETY: the processor has AVX.
            unsafe { clear_avx() };
        } else {
            clear_sse();
        }
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    fn clear_avx512() {
        clear_avx();
        // SAFETY: changes what is named as changed, and nothing else.
        unsafe {
            asm!(
                "vpxord zmm16, zmm16, zmm16",
                "vpxord zmm17, zmm17, zmm17",
                "vpxord zmm18, zmm18, zmm18",
                "vpxord zmm19, zmm19, zmm19",
                "vpxord zmm20, zmm20, zmm20",
                "vpxord zmm21, zmm21, zmm21",
                "vpxord zmm22, zmm22, zmm22",
                "vpxord zmm23, zmm23, zmm23",
                "vpxord zmm24, zmm24, zmm24",
                "vpxord zmm25, zmm25, zmm25",
                "vpxord zmm26, zmm26, zmm26",
                "vpxord zmm27, zmm27, zmm27",
                "vpxord zmm28, zmm28, zmm28",
                "vpxord zmm29, zmm29, zmm29",
                "vpxord zmm30, zmm30, zmm30",
                "vpxord zmm31, zmm31, zmm31",
                clobber_abi("C"),
                options(nomem, nostack, preserves_flags)
            );
        }
    }

    #[target_feature(enable = "avx")]
    fn clear_avx() {
        // SAFETY: changes registers 0 to 15 only, all of which the ABI lets a call change.
        unsafe { asm!("vzeroall", clobber_abi("C"), options(nomem, nostack, preserves_flags)) }
    }

    fn clear_sse() {
        // SAFETY: as above.
        unsafe {
            asm!(
                "pxor xmm0, xmm0",
                "pxor xmm1, xmm1",
                "pxor xmm2, xmm2",
                "pxor xmm3, xmm3",
                "pxor xmm4, xmm4",
                "pxor xmm5, xmm5",
                "pxor xmm6, xmm6",
                "pxor xmm7, xmm7",
                "pxor xmm8, xmm8",
                "pxor xmm9, xmm9",
                "pxor xmm10, xmm10",
                "pxor xmm11, xmm11",
                "pxor xmm12, xmm12",
                "pxor xmm13, xmm13",
                "pxor xmm14, xmm14",
                "pxor xmm15, xmm15",
                clobber_abi("C"),
                options(nomem, nostack, preserves_flags)
            );
        }
    }

    #[cfg(test)]
    mod tests {
        use std::arch::asm;

        #[test]
        fn the_registers_are_zero_afterwards() {
            let value = [0x5a_u8; 16];
            let mut left = [0xff_u8; 32];
            // SAFETY: reads and writes 16 bytes at the two places; the registers are named as changed.
            unsafe {
                asm!(
                    "movdqu xmm3, [{value}]", "movdqu xmm11, [{value}]", "call {clear}",
                    "movdqu [{left}], xmm3", "movdqu [{left} + 16], xmm11",
                    value = in(reg) value.as_ptr(), left = in(reg) left.as_mut_ptr(), clear = sym super::super::clear_registers,
                    clobber_abi("C")
                );
            }
            assert_eq!(left, [0; 32]);
        }
    }
}

#[cfg(all(unix, target_arch = "aarch64"))]
mod aarch64 {
    use std::arch::asm;

    pub(super) fn clear() {
        // SAFETY: changes what is named as changed, and nothing else.
        unsafe {
            asm!(
                "movi v0.2d, #0",
                "movi v1.2d, #0",
                "movi v2.2d, #0",
                "movi v3.2d, #0",
                "movi v4.2d, #0",
                "movi v5.2d, #0",
                "movi v6.2d, #0",
                "movi v7.2d, #0",
                "movi v16.2d, #0",
                "movi v17.2d, #0",
                "movi v18.2d, #0",
                "movi v19.2d, #0",
                "movi v20.2d, #0",
                "movi v21.2d, #0",
                "movi v22.2d, #0",
                "movi v23.2d, #0",
                "movi v24.2d, #0",
                "movi v25.2d, #0",
                "movi v26.2d, #0",
                "movi v27.2d, #0",
                "movi v28.2d, #0",
                "movi v29.2d, #0",
                "movi v30.2d, #0",
                "movi v31.2d, #0",
                clobber_abi("C"),
                options(nomem, nostack, preserves_flags)
            );
        }
    }
}
