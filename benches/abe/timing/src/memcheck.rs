//! Requests to valgrind's memcheck (valgrind manual, 3.1 and 4.7): outside of valgrind they do nothing.

/// `MC_(MAKE_MEM_UNDEFINED)`: 'M', 'C', 1.
const MAKE_UNDEFINED: u64 = 0x4d43_0001;
/// `MC_(MAKE_MEM_DEFINED)`.
const MAKE_DEFINED: u64 = 0x4d43_0002;

/// From here on, what depends on these bytes is looked for.
pub(crate) fn undefine(bytes: &mut [u8]) {
    request(MAKE_UNDEFINED, bytes);
}

/// These bytes are public.
pub(crate) fn define(bytes: &mut [u8]) {
    request(MAKE_DEFINED, bytes);
}

fn request(number: u64, bytes: &mut [u8]) {
    let arguments = [number, bytes.as_mut_ptr() as u64, bytes.len() as u64, 0, 0, 0];
    // SAFETY: the sequence is that of valgrind.h for this architecture: four rotations that add up to nothing and an
    // exchange of a register with itself. It reads the arguments, and changes nothing but rdx (and, under valgrind,
    // what valgrind thinks of the bytes).
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            inout("rdx") 0_u64 => _, in("rax") arguments.as_ptr(), inout("rdi") 0_u64 => _,
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = arguments;
}
